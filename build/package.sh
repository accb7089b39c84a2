#!/usr/bin/env bash
# package.sh: what is handed to others. Usage: build/package.sh dist|deb|rpm|files|version|date
#
#   dist      $OUT/mod_osproxy-<version>.tar.gz: every file of the project, byte for byte the same from
#             the same files, whoever packs them
#   deb       $OUT/packages/*.deb and what belongs to them, from that archive and build/debian
#   rpm       $OUT/packages/*.rpm, from that archive and build/rpm/mod_osproxy.spec
#   files     the names of every file of the project, each with a NUL behind it
#   version   the version, which stands in mod_osproxy/osproxy.h and nowhere else
#   date      the day of that version as CHANGES has it, in seconds since 1970
#
# From the environment: OUT, the folder of all output (build/out); MAINTAINER, who answers for a package:
# Name <address>.
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
maintainer=${MAINTAINER:-mod_osproxy developers <mod-osproxy@packages.invalid>}
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

# ---- deb -----------------------------------------------------------------------------------------

# Sorts before a distribution's own packages of the same version.
revision=0osproxy1

# CHANGES as Debian has it. What concerns the packaging alone is in it as well.
debian_changelog() {
    awk -v maintainer="$maintainer" -v revision=$revision '
        function close_entry() {
            if (day == "") return
            command = "LC_ALL=C date -u -R -d \"" day " 12:00\""
            command | getline stamp
            close(command)
            printf "\n -- %s  %s\n", maintainer, stamp
        }
        /^[0-9][0-9.]* \([0-9-]*\)$/ {
            close_entry()
            printf "%smod-osproxy (%s-%s) unstable; urgency=medium\n", day == "" ? "" : "\n", $1, revision
            day = substr($2, 2, length($2) - 2)
            blank = 1
            next
        }
        day != "" && /^  / { if (blank) print ""; blank = 0; print }
        END { close_entry() }' CHANGES
}

# The source package and the binary ones, in a folder of their own. What dpkg-buildpackage takes from the
# environment (DEB_BUILD_OPTIONS) stands.
make_deb() {
    needs dpkg-buildpackage dpkg-dev
    needs dh debhelper
    needs dh_apache2 apache2-dev
    local packages=$out/packages tree=$out/packages/mod-osproxy-$version
    rm -rf "$tree"
    mkdir -p "$tree"
    tar -xf "$archive" -C "$tree" --strip-components=1
    cp "$archive" "$packages/mod-osproxy_$version.orig.tar.gz"
    cp -r "$tree/build/debian" "$tree/debian"
    sed -i "s/@MAINTAINER@/$maintainer/" "$tree/debian/control"
    debian_changelog >"$tree/debian/changelog"
    # make hands its variables on, and these are not meant for that build
    (cd "$tree" && env -u OUT -u MAKEFLAGS -u MFLAGS -u MAKEOVERRIDES \
        dpkg-buildpackage -us -uc -d --build=full >../deb.log 2>&1) || {
        tail -n 40 "$packages/deb.log" >&2
        die "the Debian package was not built; all of it: $packages/deb.log"
    }
    rm -rf "$tree"
    say "$packages/$(cd "$packages" && echo libapache2-mod-osproxy_"$version-$revision"_*.deb)"
}

# ---- rpm -----------------------------------------------------------------------------------------

rpm_changelog() {
    awk -v maintainer="$maintainer" '
        /^[0-9][0-9.]* \([0-9-]*\)$/ {
            command = "LC_ALL=C date -u -d \"" substr($2, 2, length($2) - 2) "\" \"+%a %b %d %Y\""
            command | getline stamp
            close(command)
            printf "%s* %s %s - %s-1\n", began++ ? "\n" : "", stamp, maintainer, $1
            next
        }
        began && /^  \* / { print "- " substr($0, 5) }
        began && /^    / { print "  " substr($0, 5) }' CHANGES
}

# Where httpd-devel with RHEL's macros is not installed, they are imitated: this machine's httpd, its
# module magic number and RHEL's folders. What follows `rpm` on the command line goes to rpmbuild.
make_rpm() {
    needs rpmbuild rpm
    local packages=$out/packages top apxs headers options=()
    mkdir -p "$packages/rpm"
    top=$(cd "$packages/rpm" && pwd)
    { sed "s/@VERSION@/$version/" build/rpm/mod_osproxy.spec && rpm_changelog; } >"$top/mod_osproxy.spec"
    if ! rpm --eval '%{?_httpd_mmn}' | grep -q .; then
        apxs=${APXS:-$(command -v apxs || command -v apxs2 || true)}
        [ -n "$apxs" ] || die "apxs was not found; 'build/setup.sh build' installs it"
        headers=$("$apxs" -q INCLUDEDIR)
        options+=(--nodeps # of packages that this system has under other names
            --define "_httpd_apxs $apxs" --define "_libdir %{_prefix}/lib64"
            --define "_httpd_mmn $(sed -n 's/^#define MODULE_MAGIC_NUMBER_MAJOR \([0-9]*\).*/\1/p' \
                "$headers/ap_mmn.h")$(uname -m | tr -d _-)")
    fi
    command -v find-debuginfo >/dev/null || [ -x /usr/lib/rpm/find-debuginfo.sh ] \
        || options+=(--define 'debug_package %{nil}' --define '_build_id_links none')
    env -u OUT -u MAKEFLAGS -u MFLAGS -u MAKEOVERRIDES rpmbuild -bb --define "_topdir $top" \
        --define "_sourcedir $(cd "$out" && pwd)" --define "_rpmdir $(cd "$packages" && pwd)" \
        --define "_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm" \
        --define "use_source_date_epoch_as_buildtime 1" --define "clamp_mtime_to_source_date_epoch 1" \
        --define "_buildhost mod_osproxy" "${options[@]}" "$@" "$top/mod_osproxy.spec" \
        >"$packages/rpm.log" 2>&1 || {
        tail -n 40 "$packages/rpm.log" >&2
        die "the RPM was not built; all of it: $packages/rpm.log"
    }
    say "$(sed -n 's/^Wrote: //p' "$packages/rpm.log")"
}

command=${1:-}
[ $# = 0 ] || shift
case $command in
    files) list_files ;;
    dist) make_dist && say "$archive" ;;
    deb) make_dist && make_deb ;;
    rpm) make_dist && make_rpm "$@" ;;
    version) echo "$version" ;;
    date) echo "$SOURCE_DATE_EPOCH" ;;
    *) die "usage: ${0##*/} dist|deb|rpm|files|version|date" ;;
esac
