"""
Protos that gRPC users meet, fetched by package name at pinned versions with the ordinary clients and
kept from run to run.

    corpus.fetch(folder)  ->  [Source, ...]

A source that cannot be had has no files, and says why in |missing|.
"""

import ast
import fcntl
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

ETCD = "go.etcd.io/etcd"
# name: what is tested of which package, and under which path others import it; folders that are
# import paths too; then packages that are imported only.
SOURCES = {
    "libprotobuf-dev": ["deb:google/protobuf"],
    "grpc-proto": ["deb:/usr/share/grpc-proto", "needs", "pypi:googleapis-common-protos==1.76.0"],
    "googleapis-common-protos": ["pypi:googleapis-common-protos==1.76.0"],
    "opentelemetry-proto": ["descriptors:opentelemetry-proto==1.45.2"],
    "etcd": ["go:%s/api/v3@v3.7.3 as etcd/api" % ETCD, "go:%s/server/v3@v3.7.3 as etcd/server" % ETCD,
             "go:go.etcd.io/raft/v3@v3.7.0", "also:etcd/api/etcdserverpb", "needs", "pypi:googleapis-common-protos==1.76.0",
             "go:github.com/grpc-ecosystem/grpc-gateway/v2@v2.33.0"],
    "containerd": ["go:github.com/containerd/containerd/api@v1.12.0", "needs",
                   "pypi:googleapis-common-protos==1.76.0"],
    "cri-api": ["go:k8s.io/cri-api@v0.37.2"],
    "cri-api-gogoproto": ["go:k8s.io/cri-api@v0.26.0", "needs",
                          "go:github.com/gogo/protobuf@v1.3.2 as github.com/gogo/protobuf"],
    "kubelet": ["go:k8s.io/kubelet@v0.37.2"],
}


class CannotBeHad(Exception):
    pass


class Source:
    def __init__(self, name):
        self.name = name
        self.version = ""
        self.files = []  # paths as others import them
        self.includes = []  # folders
        self.descriptors = None  # a FileDescriptorSet instead of text
        self.missing = ""


DOWNLOAD_SECONDS = 150  # for all of them: a test has to end
started = time.monotonic()


def run(*command, **options):
    """Runs a client of a registry, three times if need be; what it printed."""
    said = ""
    for pause in (2, 10, 0):
        left = started + DOWNLOAD_SECONDS - time.monotonic()
        if left <= pause:
            said = said or "no time left for downloads"
            break
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  stdin=subprocess.DEVNULL, timeout=left, **options)
            if done.returncode == 0:
                return done.stdout
            said = (done.stderr.strip() or done.stdout.strip() or "failed").splitlines()[-1]
            if "No module named" in said:
                break  # pip itself
        except subprocess.TimeoutExpired:
            said = "not done when the time for downloads was over"
        except OSError as error:
            raise CannotBeHad("%s: %s" % (command[0], error.strerror))
        time.sleep(pause)
    raise CannotBeHad("%s: %s" % (os.path.basename(command[0]), said))


def protos(folder):
    found = []
    for at, _, names in os.walk(folder):
        found += [os.path.relpath(os.path.join(at, name), folder) for name in names
                  if name.endswith(".proto")]
    return sorted(found)


def copy(source, target):
    for name in protos(source):
        os.makedirs(os.path.dirname(os.path.join(target, name)), exist_ok=True)
        shutil.copyfile(os.path.join(source, name), os.path.join(target, name))
    if not protos(target):
        raise CannotBeHad("no .proto in " + source)


def from_debian(what, target):
    """Packages that are installed already: tools/install-packages did it, or it said why not."""
    if what.startswith("/"):
        if not os.path.isdir(what):
            raise CannotBeHad(what + " does not exist")
        copy(what, target)
        return
    for folder in ("/usr/include", "/usr/local/include"):
        if os.path.isdir(os.path.join(folder, what)):
            copy(os.path.join(folder, what), os.path.join(target, what))
            return
    raise CannotBeHad(what + " is in no include folder")


def wheel(what, cache):
    name = what.split("==")[0].replace("-", "_")
    pattern = os.path.join(cache, "wheels", "%s-%s-*.whl" % (name, what.split("==")[1]))
    if not glob.glob(pattern):
        run(sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps",
            "--only-binary=:all:", "-d", os.path.join(cache, "wheels"), what)
    found = glob.glob(pattern)
    if not found:
        raise CannotBeHad("pip wrote no " + pattern)
    return zipfile.ZipFile(found[0])


def from_pypi(what, target, cache):
    with wheel(what, cache) as archive:
        for name in archive.namelist():
            if name.endswith(".proto"):
                archive.extract(name, target)


def descriptors_from_pypi(what, target, cache):
    """The serialised descriptors in the Python code that protoc wrote: all of a proto but its text."""
    names = []
    with wheel(what, cache) as archive, open(target, "wb") as output:
        for name in sorted(archive.namelist()):
            if not name.endswith("_pb2.py"):
                continue
            for node in ast.walk(ast.parse(archive.read(name))):
                if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "AddSerializedFile":
                    data = ast.literal_eval(node.args[0])
                    output.write(b"\x0a" + varint(len(data)) + data)
                    names.append(name[:-len("_pb2.py")] + ".proto")
    if not names:
        raise CannotBeHad("no descriptors in " + what)
    return names


def varint(value):
    data = b""
    while value > 0x7f:
        data += bytes([value & 0x7f | 0x80])
        value >>= 7
    return data + bytes([value])


def go_program(cache):
    """Go, or a reason; looked for once."""
    if not hasattr(go_program, "path"):
        said = run(os.path.join(TOP, "tools", "install-go"), "1.21",
                   os.path.join(os.path.dirname(os.path.dirname(cache)), "peers-go"))
        go_program.path = os.path.join(said.strip().splitlines()[-1], "go")
    return go_program.path


def current_protoc(cache):
    """A protoc that knows editions and the newest options, with Python's protobuf beside it."""
    packages = ["grpcio-tools==1.85.1", "protobuf==7.36.2"]
    folder = os.path.join(cache, "venv")
    record = os.path.join(folder, "installed")
    os.makedirs(cache, exist_ok=True)
    with open(os.path.join(cache, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(record) or open(record).read() != " ".join(packages):
            shutil.rmtree(folder, ignore_errors=True)
            run(sys.executable, "-m", "venv", folder)
            run(os.path.join(folder, "bin", "pip"), "install", "-q", "--disable-pip-version-check",
                "--only-binary=:all:", *packages)
            with open(record, "w") as output:
                output.write(" ".join(packages))
    return [os.path.join(folder, "bin", "python"), "-m", "grpc_tools.protoc"]


def from_go(what, target, cache):
    module, _, prefix = what.partition(" as ")
    environment = dict(os.environ, GOTOOLCHAIN="local", GOFLAGS="-mod=mod")
    said = run(go_program(cache), "mod", "download", "-json", module, cwd=cache, env=environment)
    copy(json.loads(said)["Dir"], os.path.join(target, prefix))


def fetch_into(source, parts, folder, cache):
    versions = []
    target = os.path.join(folder, "tested")
    for part in parts:
        if part == "needs":
            target = os.path.join(folder, "needed")
            continue
        kind, _, what = part.partition(":")
        if kind == "also":
            continue
        os.makedirs(target, exist_ok=True)
        if kind == "deb":
            from_debian(what, target)
            installed = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", source.name],
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) \
                if shutil.which("dpkg-query") else None
            versions += [installed.stdout] if installed else []
        elif kind == "pypi":
            from_pypi(what, target, cache)
        elif kind == "descriptors":
            source.files = descriptors_from_pypi(what, os.path.join(folder, "set"), cache)
        elif kind == "go":
            from_go(what, target, cache)
        if target.endswith("tested"):
            versions += re.findall(r"(?:==|@v)([0-9.]+)", what)
    source.version = versions[0] if versions else ""
    source.files = source.files or protos(os.path.join(folder, "tested"))


def fetch(cache):
    os.makedirs(cache, exist_ok=True)
    sources = []
    for name, parts in SOURCES.items():
        source = Source(name)
        folder = os.path.join(cache, name)
        record = os.path.join(folder, "fetched")
        try:
            known = json.load(open(record)) if os.path.exists(record) else {}
            if known.get("parts") == parts and not parts[0].startswith("deb:"):
                source.files, source.version = known["files"], known["version"]
            else:
                shutil.rmtree(folder, ignore_errors=True)
                os.makedirs(folder)
                fetch_into(source, parts, folder, cache)
                with open(record, "w") as output:
                    json.dump({"parts": parts, "files": source.files, "version": source.version},
                              output)
        except CannotBeHad as error:
            source.missing = str(error)
            source.files = []
        also = [os.path.join("tested", part[len("also:"):]) for part in parts if part.startswith("also:")]
        source.includes = [os.path.join(folder, path) for path in ["tested", "needed"] + also
                           if os.path.isdir(os.path.join(folder, path))]
        if os.path.exists(os.path.join(folder, "set")):
            source.descriptors = os.path.join(folder, "set")
        sources.append(source)
    return sources
