#!/usr/bin/env bash
# check_symbols.sh: what the shared object exports and needs. Usage: build/check_symbols.sh <file.so>
#
# - It exports osproxy_module and nothing else: every module lives in one process.
# - What it needs comes from httpd itself and the libraries that httpd or the file link. A symbol of
#   another module (mod_proxy's, say) is weak: with a strong one a LoadModule line in the wrong place
#   ends in the linker's "undefined symbol" instead of a message that says what to move.
set -euo pipefail

module=${1:?usage: check_symbols.sh <file.so>}
apxs=${APXS:-$(command -v apxs || command -v apxs2)}
httpd=$("$apxs" -q SBINDIR)/$("$apxs" -q PROGNAME)
modules=$("$apxs" -q LIBEXECDIR)
passed=0
failed=0

fail() { echo "$module: $*"; problems=1; }
verdict() {
    if [ -n "$problems" ]; then failed=$((failed + 1)); else passed=$((passed + 1)); fi
    problems=
}
for input in "$module" "$httpd"; do
    [ -f "$input" ] || { echo "$input: is missing"; exit 1; }
done
exports() { nm -D --defined-only "$@" 2>/dev/null | awk 'NF == 3 { sub(/@.*/, "", $3); print $3 }'; }

problems=
while read -r name; do
    [ "$name" = osproxy_module ] || fail "exports $name; make it static, or leave it hidden"
done < <(exports "$module")
exports "$module" | grep -qx osproxy_module || fail "does not export osproxy_module"
verdict

mapfile -t libraries < <(ldd "$httpd" "$module" | awk '$3 ~ /^\// { print $3 } $1 ~ /^\// && $1 !~ /:$/ { print $1 }' \
    | sort -u)
[ ${#libraries[@]} -gt 0 ] || { echo "$httpd: links no library, says ldd"; exit 1; }
while read -r name; do
    owner=$(for file in "$modules"/mod_*.so; do
        # no -q: it would end the pipe early, which pipefail takes for a failure
        ! exports "$file" | grep -x "$name" >/dev/null || echo "${file##*/}"
    done | head -n 1)
    fail "needs $name${owner:+ of $owner}, strongly; add '#pragma weak $name' to" \
        "mod_osproxy/proxy_api.h, or do without it"
done < <(comm -23 <(nm -D --undefined-only "$module" | awk '$1 == "U" { sub(/@.*/, "", $2); print $2 }' | sort -u) \
    <(exports "$httpd" "${libraries[@]}" | sort -u))
verdict

echo "symbols: $passed passed, $failed failed"
[ $failed = 0 ]
