# What the scripts of this folder share; sourced by them.

top=$(cd "$(dirname "$0")/../.." && pwd)
peer=${0##*/}
name=foo.test.google.fr # in the server's certificate

give_up() {
    echo "$1" >&2
    exit 1
}

# need TOOL...: gives up when one is missing
need() {
    for tool; do
        command -v "$tool" >/dev/null || give_up "$tool is not installed"
    done
}

# retry COMMAND...: three tries; gives up with what the last one said
retry() {
    for pause in 1 5 0; do
        "$@" >install.log 2>&1 </dev/null && return
        sleep $pause
    done
    give_up "$(grep -m 1 -i error install.log || tail -n 1 install.log)"
}

# installed / now_installed, in the peer's folder: whether what is there was made from this very script,
# $version, the sources in src/PEER and the protos.
stamp() {
    {
        cat "$top/interop/peers/$peer" "$top/interop/peers/src/$peer"/* "$top"/interop/proto/grpc/testing/*.proto 2>/dev/null
        echo "$version"
    } | cksum
}
installed() { [ "$(cat installed 2>/dev/null)" = "$(stamp)" ]; }
now_installed() { stamp >installed; }

# The flags of the official clients: a busy machine is no failure.
case_flags() {
    case $1 in
    rpc_soak | channel_soak)
        echo --soak_iterations=20 --soak_num_threads=2 --soak_overall_timeout_seconds=60 \
            --soak_per_iteration_max_acceptable_latency_ms=10000
        ;;
    long_lived_channel) echo --soak_iterations=3 --iteration_interval=1 ;;
    pick_first_unary) echo '--service_config_json={"loadBalancingConfig":[{"pick_first":{}}]}' ;;
    esac
}

# unpack PACKAGE...: Debian packages, unpacked in the folder "root" without touching the system: a
# proxy that was installed would be started, too.
unpack() {
    need apt-get dpkg-deb
    rm -rf debs root
    mkdir debs root
    (cd debs && retry apt-get download "$@" 2>/dev/null) || {
        apt-get update >/dev/null 2>&1 || true # the lists may be missing, or old
        (cd debs && retry apt-get download "$@")
    }
    for deb in debs/*.deb; do
        dpkg-deb -x "$deb" root
    done
}

# run_unpacked DIR PROGRAM ARGUMENT...: runs what unpack made
run_unpacked() {
    root=$1/root
    shift
    LD_LIBRARY_PATH=$(echo "$root"/usr/lib/*-linux-gnu) PATH=$root/usr/sbin:$root/usr/bin:$PATH exec "$@"
}
