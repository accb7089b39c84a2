#!/usr/bin/env bash
# package.sh: what is handed to others. Usage: build/package.sh dist|deb|rpm|version|date
#
#   dist      $OUT/mod_osproxy-<version>.tar.gz: every file of the project, byte for byte the same from
#             the same files, whoever packs them
#   deb       $OUT/packages/*.deb and what belongs to them, from that archive and build/debian
#   rpm       $OUT/packages/*.rpm, from that archive and build/rpm/mod_osproxy.spec
#   version   the version, which stands in mod_osproxy/osproxy.h and nowhere else
#   date      the day of that version as CHANGES has it, in seconds since 1970
#
# From the environment: OUT, the folder of all output (build/out).
set -euo pipefail

cd "$(dirname "$0")/.."
out=${OUT:-build/out}
say() { echo "${0##*/}: $*"; }
die() { say "$@" >&2; exit 1; }

version=$(sed -n 's/^#define OSP_VERSION "\([0-9][0-9.]*\)".*/\1/p' mod_osproxy/osproxy.h)
[ -n "$version" ] || die "mod_osproxy/osproxy.h has no line '#define OSP_VERSION \"1.2.3\"'"
day=$(sed -n "s/^${version//./\\.} (\([0-9-]*\))\$/\1/p" CHANGES)
[ -n "$day" ] || die "CHANGES has no heading '$version (<year>-<month>-<day>)'"
SOURCE_DATE_EPOCH=$(date -u -d "$day 12:00" +%s) # noon: the same day everywhere
export SOURCE_DATE_EPOCH
archive=$out/mod_osproxy-$version.tar.gz

needs() { # <program> <package>
    command -v "$1" >/dev/null || die "$1 was not found; 'build/setup.sh package' installs $2"
}

# ---- dist ----------------------------------------------------------------------------------------

# What git tracks, as it lies there; without git (an unpacked archive) all but what make builds.
list_files() {
    if [ -e .git ]; then
        git ls-files -z
    else
        find . \( -path ./build/out -o -name __pycache__ -o -name .cache \) -prune \
            -o \( -type f -o -type l \) ! -path ./compile_commands.json ! -name '*.pyc' -printf '%P\0'
    fi
}

# Owner, time and mode come from nobody's machine: 755 for what may be run, 644 for the rest.
make_dist() {
    mkdir -p "$out"
    list_files | LC_ALL=C sort -z \
        | tar --create --no-recursion --null --files-from=- --format=ustar \
            --transform "s,^,mod_osproxy-$version/,S" --owner=root:0 --group=root:0 --numeric-owner \
            --mode='u=rwX,go=rX' --mtime="@$SOURCE_DATE_EPOCH" \
        | gzip --no-name -9 >"$archive.new"
    mv "$archive.new" "$archive"
}

case ${1:-} in
    dist) make_dist && say "$archive" ;;
    version) echo "$version" ;;
    date) echo "$SOURCE_DATE_EPOCH" ;;
    *) die "usage: ${0##*/} dist|deb|rpm|version|date" ;;
esac
