# shellcheck shell=bash
# What scripts/run and scripts/stop share: where the embedded stack's state
# lies, which processes are its own, and the order in which they end.
# Sourced.  Environment: RUN_DIR (run, beside the Makefile), SETTER_STOP_MS.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
run_dir=$(realpath -ms "${RUN_DIR:-$root/run}")
state=$(realpath -m "$run_dir")

hurry=      # set: end by KILL what has not ended

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# The pid of a service, when that process runs and is this stack's: a pid
# file may be older than the process that has the number now.  All our
# processes work in a folder of the state.
pid_of() {
    local pid
    pid=$(cat "$state/pids/$1" 2> /dev/null) || return 1
    case $(readlink "/proc/$pid/cwd" 2> /dev/null) in
    "$state" | "$state"/*) printf '%s' "$pid" ;;
    *) return 1 ;;
    esac
}

# The services that have a pid file, by a pattern of names.
services() {
    local file
    for file in "$state"/pids/$1; do
        [ -e "$file" ] && printf '%s ' "${file##*/}"
    done
    return 0
}

# Waits until a service is gone; by KILL when it takes longer than seconds.
await_end() {
    local name=$1 until=$((SECONDS + $2)) pid
    while pid=$(pid_of "$name"); do
        if [ $SECONDS -ge $until ] || [ -n "$hurry" ]; then
            kill -KILL -- "-$pid" 2> /dev/null || kill -KILL "$pid"
        fi
        sleep 0.05
    done
    rm -f "$state/pids/$name"
}

# end_services PATTERN SIGNAL SECONDS
end_services() {
    local name pid
    for name in $(services "$1"); do
        if pid=$(pid_of "$name"); then
            kill "-$2" "$pid"
        fi
    done
    for name in $(services "$1"); do
        await_end "$name" "$3"
    done
}

# Against the walk's direction nothing is cut: first no more comes in, then
# what is in hand is finished while all that it needs still stands.
end_stack() {
    rm -f "$state/env"
    end_services nginx QUIT 10
    end_services 'worker.*' TERM $((${SETTER_STOP_MS:-30000} / 1000 + 5))
    end_services sandbox TERM 5
    end_services redis TERM 30
    end_services postgres INT 30
}
