# What the scripts of these peers share; to be sourced with |here| set to their folder.

# The reason stands last on stderr.
die() {
    echo "$*" >&2
    exit 1
}

# list_cases client|server: all cases, but those that a line "SIDE PATTERN REASON" of the input
# excepts, which get a dash in front and the reason behind.
list_cases() {
    exceptions=$(cat)
    while read -r name; do
        why=
        while read -r side pattern reason; do
            # shellcheck disable=SC2254
            case $side,$name in "$1",$pattern) why=$reason ;; esac
        done <<END
$exceptions
END
        if [ -z "$why" ]; then
            echo "$name"
        else
            printf -- '-%s\t%s\n' "$name" "$why"
        fi
    done <"$here/src/cases"
}

# --- for the verb "install" ---

need() {
    for tool; do
        command -v "$tool" >/dev/null 2>&1 || die "no $tool"
    done
}

# again LOG COMMAND...: three tries, for what registries and networks do now and then.
again() {
    log=$1
    shift
    for pause in 1 5 0; do
        "$@" >"$log" 2>&1 </dev/null && return
        sleep $pause
    done
    die "$(grep -v -E '^npm (warn|notice)|A complete log' "$log" | grep . | tail -n 1)"
}

# fresh DIR FILE...: makes DIR.  False when it was finished before, from the same files.
fresh() {
    dir=$1
    shift
    mkdir -p "$dir" || die "cannot make $dir"
    made_from=$(cat "$@" | cksum)
    [ "$made_from" != "$(cat "$dir/made-from" 2>/dev/null)" ]
}

finished() {
    echo "$made_from" >"$dir/made-from"
}
