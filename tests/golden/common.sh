# What the scripts of this folder share; read by them, not run.  They print TAP, work in a folder of
# their own, and take the programs to test from the environment that "make check" sets.

golden=$(cd "$(dirname "$0")" && pwd)
source=${top_srcdir:-$golden/../..}
build=${top_builddir:-$source}
protoc=${PROTOC-$(command -v protoc)}
protoc_gen_c=${PROTOC_GEN_C-$(command -v protoc-gen-c)}
plugin=${PROTOC_GEN_PICOGRPC:-$build/protoc-gen-picogrpc}
protobuf_c_include=$(${PKG_CONFIG:-pkg-config} --variable=includedir libprotobuf-c)

work=$build/gen/golden-${0##*/}
rm -rf "$work"
mkdir -p "$work" || exit 99

cases=0 failed=0
# result TITLE STATUS [TEXT]: one case; the text tells what went wrong.  Where STATUS is $?, no
# command may stand in the title: some shells give its status.
result() {
    cases=$((cases + 1))
    if [ "$2" -eq 0 ]; then
        echo "ok $cases - $1"
    else
        echo "not ok $cases - $1"
        failed=$((failed + 1))
        printf '%s\n' "${3:-}" | sed -n '1,40s/^/# /p'
    fi
}
not_run() {
    cases=$((cases + 1))
    echo "# NOT RUN: $1: $2"
    echo "ok $cases - $1 # SKIP $2"
}
finish() {
    echo "1..$cases"
    [ $failed -eq 0 ]
    exit
}
# needs TITLE PROGRAM NAME: ends the script unless the program is there
needs() {
    [ -n "$2" ] && return
    not_run "$1" "$3 is not installed"
    finish
}
# All .proto files below folder $1.
protos() {
    (cd "$1" && find . -name '*.proto' | sed 's|^\./||' | LC_ALL=C sort)
}
