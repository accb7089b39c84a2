#!/usr/bin/env bash
# lint.sh: what compilers and checkers say beyond the build. Usage: build/lint.sh <source>...
# gcc and clang have to be there; cppcheck, clang-tidy and shellcheck are asked when installed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

status=0
asked=
ask() { # <name> <command>...
    local name=$1
    shift
    echo "-- $name"
    asked="$asked $name"
    "$@" || status=1
}
has() { command -v "$1" >/dev/null; }

for compiler in gcc clang; do
    ask $compiler make -s CC=$compiler OUT=build/out/$compiler all
done
if has cppcheck; then
    # httpd's headers are left out: cppcheck reads the sources alone, and unknown macros are no news
    ask cppcheck cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 -Imod_osproxy \
        --enable=warning,performance,portability "$@"
fi
if has clang-tidy; then
    make -s CC=clang OUT=build/out/clang compile_commands
    ask clang-tidy clang-tidy --quiet --warnings-as-errors='*' \
        --checks='-*,clang-analyzer-*,bugprone-*,-bugprone-easily-swappable-parameters,-bugprone-reserved-identifier,-bugprone-narrowing-conversions,-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling' \
        "$@" 2>/dev/null
fi
if has shellcheck; then
    mapfile -t scripts < <(grep -rlE '^#!.*\b(ba)?sh$' build test .ci --include='*.sh' --include=run --exclude-dir=out)
    ask shellcheck shellcheck "${scripts[@]}"
fi
echo "lint: asked$asked: $([ $status = 0 ] && echo nothing to say || echo see above)"
exit $status
