# shellcheck shell=bash
# run_tests.sh: for tests in bash. Sourced.
#
# run_tests <name> [stop]: runs every function that is called test_…, by name; prints what failed ones
# said, and the sum. stop: ends with the first that fails, where each goes on from the one before.
run_tests() {
    local name output passed=0 failed=0 status
    output=$(mktemp)
    for name in $(compgen -A function test_); do
        # a shell of its own: set -e has no effect in a condition
        set +e
        (set -e; "$name") >"$output" 2>&1 </dev/null
        status=$?
        set -e
        if [ $status = 0 ]; then
            passed=$((passed + 1))
            continue
        fi
        failed=$((failed + 1))
        echo "FAILED $name"
        sed 's/^/    /' "$output"
        [ "${2:-}" != stop ] || break
    done
    rm -f "$output"
    echo "$1: $passed passed, $failed failed"
    [ $failed = 0 ]
}

# Until a command succeeds, for a minute at most.
until_it_works() { # <command>...
    local end=$((SECONDS + 60))
    until "$@" >/dev/null 2>&1; do
        if [ $SECONDS -ge $end ]; then
            echo "in vain, for a minute: $*"
            "$@"
            return
        fi
        sleep 0.1
    done
}

# `! command` alone never ends a test: set -e looks past what is negated.
must_fail() { # <command>...
    ! "$@" >/dev/null 2>&1 || { echo "should have failed: $*"; return 1; }
}

# grep finds nothing, in a file that is there.
no_line() { # <argument of grep>...
    local status=0
    grep "$@" || status=$?
    [ $status = 1 ] || { echo "should have found nothing: grep $*"; return 1; }
}
