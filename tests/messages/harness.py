"""
What the checks here share: TAP, the programs to test from the environment that "make check" sets, and
protoc over the sources of corpus.py.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys

import corpus

BUILD = os.path.abspath(os.environ.get("top_builddir") or os.path.join(corpus.TOP, "build", "tests"))
CACHE = os.path.join(BUILD, "gen", "corpus")
PROTOC = os.environ.get("PROTOC") or shutil.which("protoc")
PLUGIN = os.environ.get("PROTOC_GEN_PICOGRPC") or os.path.join(BUILD, "protoc-gen-picogrpc")
CC = shlex.split(os.environ.get("CC") or "cc")
CXX = shlex.split(os.environ.get("CXX") or "c++")

cases = 0
failed = 0


def result(title, reasons=()):
    """One case, failed if there are reasons."""
    global cases, failed
    cases += 1
    failed += bool(reasons)
    print("%s %d - %s" % ("not ok" if reasons else "ok", cases, title))
    for reason in reasons:
        for line in reason.strip().splitlines()[:40]:
            print("# " + line)


def not_run(title, reason):
    global cases
    cases += 1
    print("ok %d - %s # SKIP %s" % (cases, title, reason))


def finish():
    print("1..%d" % cases)
    sys.exit(1 if failed else 0)


def output_of(command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", stdin=subprocess.DEVNULL, **options)
    return done.returncode, done.stdout


def must(title, command, **options):
    """A case that what follows depends on; what the command said."""
    status, said = output_of(command, **options)
    result(title, [said or "status %d" % status] if status else [])
    if status:
        finish()
    return said


def protobuf_c(what):
    done = subprocess.run([os.environ.get("PKG_CONFIG") or "pkg-config", what, "libprotobuf-c"],
                          stdout=subprocess.PIPE, text=True)
    return shlex.split(done.stdout)


def from_makefile(*names):
    """How the library was built: a sanitizer must be in a program with it, too."""
    words = []
    with open(os.path.join(BUILD, "Makefile")) as makefile:
        text = makefile.read()
    for name in names:
        found = re.search(r"^%s = (.*)$" % name, text, re.M)
        words += shlex.split(found.group(1)) if found else []
    return words


def build_roundtrip(title, folder, types, files):
    """
    A case: roundtrip.c with the generated code in |folder| of the messages in |types|, a list of
    descriptors' names, from |files|.  The program.
    """
    with open(os.path.join(folder, "types.h"), "w") as header:
        header.writelines('#include "%s.pb-c.h"\n' % file[:-len(".proto")] for file in files)
        header.write("static const ProtobufCMessageDescriptor *const types[] = {\n")
        header.writelines("    &%s,\n" % name for name in types)
        header.write("};\n")
    program = os.path.join(folder, "roundtrip")
    code = [os.path.join(folder, file[:-len(".proto")] + ".pb-c.c") for file in files]
    must(title, [os.path.join(BUILD, "libtool"), "--quiet", "--tag=CC", "--mode=link"] + CC +
         from_makefile("PGRPC_CODE_CFLAGS", "CFLAGS", "PROTOBUF_C_CFLAGS") +
         ["-D_GNU_SOURCE", "-O0", "-Wall", "-Wextra", "-Wpedantic", "-I" + folder,
          "-I" + os.path.join(corpus.TOP, "include"), "-static", "-o", program,
          os.path.join(corpus.TOP, "tests", "messages", "roundtrip.c")] + code +
         [os.path.join(BUILD, "libpicogrpc_all.la")] + from_makefile("PROTOBUF_C_LIBS"))
    return program


def newer_protoc():
    """For what the installed one does not know; None when it cannot be had."""
    if not hasattr(newer_protoc, "program"):
        try:
            newer_protoc.program = corpus.current_protoc(CACHE)
        except corpus.CannotBeHad as error:
            print("# no current protoc: %s" % error)
            newer_protoc.program = None
    return newer_protoc.program


def source_arguments(source):
    """Where protoc finds the files of a source."""
    if source.descriptors:
        return ["--descriptor_set_in=" + source.descriptors]
    return ["-I" + folder for folder in source.includes]


def accepted(source, scratch):
    """
    {file: (protoc that takes it, all that it imports and itself)}; what no protoc takes is not run.
    |scratch| is a file to write.
    """
    found = {}
    for file in source.files:
        said = "protoc is not installed"
        for program in ([PROTOC] if PROTOC else None, newer_protoc):
            program = program() if callable(program) else program
            if not program:
                continue
            status, said = output_of(program + source_arguments(source) +
                                     ["--include_imports", "-o", scratch, file])
            if status == 0:
                with open(scratch, "rb") as data:
                    found[file] = program, names_in_set(data.read())
                break
        if file not in found:
            not_run("%s: %s" % (source.name, file),
                    "no protoc takes it: %s" % (said.strip() or "no reason given").splitlines()[0])
    if not source.files:
        result("%s has protos" % source.name, ["none was found"])
    return found


def names_in_set(data):
    """The names in a FileDescriptorSet: field 1 of each entry of field 1."""
    names, at = [], 0
    while at < len(data):
        assert data[at] == 0x0a
        size, at = varint(data, at + 1)
        assert data[at] == 0x0a
        length, start = varint(data, at + 1)
        names.append(data[start:start + length].decode())
        at += size
    return names


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7f) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at
