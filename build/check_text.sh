#!/usr/bin/env bash
# check_text.sh: spelling in every text and comment of the project, by codespell (which knows misspelt words,
# not all words: build/spelling.txt lists what it takes for one), and the man pages, by mandoc.
set -euo pipefail

cd "$(dirname "$0")/.."
for program in codespell mandoc; do
    command -v $program >/dev/null || { echo "$program was not found; 'build/setup.sh test' installs it"; exit 1; }
done
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
passed=0
failed=0
verdict() { # <status>
    if [ "$1" = 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

# Corpora are bytes and other people's spelling; locks are written by npm.
build/package.sh files | tr '\0' '\n' \
    | grep -vE '(^|/)corpus/|\.png$|package-lock\.json$' >"$scratch/files"
[ "$(wc -l <"$scratch/files")" -gt 300 ] || { echo "build/package.sh files: too few to be all"; exit 1; }
status=0
xargs -d '\n' codespell --ignore-words build/spelling.txt --quiet-level 2 <"$scratch/files" || status=$?
verdict $status

build/stage.sh "$scratch" /documents
pages=("$scratch"/usr/share/man/man8/*.8)
[ ${#pages[@]} -ge 2 ] || { echo "build/man: too few pages"; exit 1; }
status=0
# They are for Linux, whatever mandoc takes for the system that it is on.
mandoc -Tlint -W warning,stop "${pages[@]}" >"$scratch/lint" 2>&1 || status=$?
sed "s,$scratch/usr/share/man/man8/,build/man/," "$scratch/lint"
verdict $status

echo "text: $passed passed, $failed failed"
[ $failed = 0 ]
