# shellcheck shell=bash
# What scripts/run and scripts/stop share: where the embedded stack's state
# lies, which processes are its own, and the order in which they end.
# Sourced.  Environment: RUN_DIR (run, beside the Makefile), SETTER_STOP_MS.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
run_dir=$(realpath -ms "${RUN_DIR:-$root/run}")
state=$(realpath -m "$run_dir")

hurry=      # set by a signal: end what does not end by KILL

say() { printf '%s\n' "$*" 2> /dev/null || :; }     # to whom still listens
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# Whether a service runs; its pid is put into $process.  A pid file may be
# older than the process that has the number now: ours work in these folders.
# Nothing is forked here, which a Ctrl-C could end in our stead.
running() {
    local folder
    process=
    [ -e "$state/pids/$1" ] && read -r process < "$state/pids/$1" || return 1
    for folder in "$state" "$state/redis" "$state/postgres/data"; do
        [ ! "/proc/$process/cwd" -ef "$folder" ] || return 0
    done
    return 1
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
    local until=$((SECONDS + $2))
    while running "$1"; do
        if [ $SECONDS -ge $until ] || [ -n "$hurry" ]; then
            kill -KILL -- "-$process" 2> /dev/null || kill -KILL "$process"
        fi
        sleep 0.05 || :
    done
    rm -f "$state/pids/$1"
}

# Signals what running() has found; also what is stopped shall hear it.
tell_to_end() { kill "-$1" "$process" && kill -CONT "$process"; }

# end_services PATTERN SIGNAL SECONDS
end_services() {
    local name
    hurry=
    for name in $(services "$1"); do
        ! running "$name" || tell_to_end "$2" || :
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
