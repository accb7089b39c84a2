#!/usr/bin/env bash
# setup.sh: installs the packages that a group of targets needs, and only those that are missing.
# Usage: build/setup.sh <build|run|package|test|bench>...
# With nothing missing it asks the package database once and says nothing. Where it cannot install
# (not root, no apt-get or dnf) it prints the command that somebody has to run.
set -euo pipefail

# Debian's name | RHEL's name (- : nothing) | groups
packages='
gcc                   | gcc                   | build test bench
libc6-dev             | glibc-devel           | build test bench
make                  | make                  | build test bench
apache2               | httpd                 | build run test bench
apache2-dev           | httpd-devel           | build test bench
libssl-dev            | openssl-devel         | build test bench
libcurl4-openssl-dev  | libcurl-devel         | build test bench
libcurl4              | libcurl               | run test bench
libjansson-dev        | jansson-devel         | build test bench
libxml2-dev           | libxml2-devel         | build test bench
zlib1g-dev            | zlib-devel            | build test bench
libbrotli-dev         | brotli-devel          | build test bench
pkg-config            | pkgconf-pkg-config    | build test bench
-                     | mod_ssl               | run test
-                     | mod_http2             | run test
-                     | redhat-rpm-config     | build
python3               | python3               | run test bench
openssl               | openssl               | run test
curl                  | curl                  | run test
iproute2              | iproute               | run test
binutils              | binutils              | package test
dpkg-dev              | -                     | package test
debhelper             | -                     | package test
lintian               | -                     | test
ca-certificates       | ca-certificates       | test
codespell             | codespell             | test
libcap2-bin           | libcap                | test
procps                | procps-ng             | test
util-linux            | util-linux            | test
mandoc                | mandoc                | test
rpm                   | rpm-build             | package test
rpmlint               | rpmlint               | test
git                   | git                   | test
libcmocka-dev         | libcmocka-devel       | test
python3-pytest        | python3-pytest        | test
python3-pytest-xdist  | python3-pytest-xdist  | test
libapache2-mod-auth-gssapi | mod_auth_gssapi  | test
libapache2-mod-auth-openidc | mod_auth_openidc | test
libapache2-mod-security2 | mod_security       | test
modsecurity-crs       | mod_security_crs      | test
nodejs                | nodejs                | test
npm                   | npm                   | test
gss-ntlmssp           | gssntlmssp            | test
krb5-kdc              | krb5-server           | test
krb5-admin-server     | krb5-server           | test
krb5-user             | krb5-workstation      | test
python3-gssapi        | python3-gssapi        | test
python3-h2            | python3-h2            | test
python3-prometheus-client | python3-prometheus_client | test
prometheus            | golang-github-prometheus | test
keepalived            | keepalived            | test
nghttp2-client        | nghttp2               | test
chromium              | chromium              | test
chromium-headless-shell | -                   | test
-                     | libasan               | test
-                     | libubsan              | test
clang                 | clang                 | test
libclang-rt-dev       | compiler-rt           | test
valgrind              | valgrind              | test bench
wrk                   | wrk                   | bench
haproxy               | haproxy               | test bench
'

say() { echo "setup: $*" >&2; }

if command -v dpkg-query >/dev/null; then
    column=1
elif command -v rpm >/dev/null; then
    column=2
else
    say "neither dpkg nor rpm is here; this system needs what the following packages hold:"
    echo "$packages" | awk -F'|' 'NF > 1 { print "    " $1 }' >&2
    exit 1
fi

[ $# -gt 0 ] || { say "name a group: build, run, package, test or bench"; exit 2; }
for group; do
    case $group in build | run | package | test | bench) ;; *) say "there is no group '$group'"; exit 2 ;; esac
done

mapfile -t wanted < <(echo "$packages" | awk -F' *[|] *' -v column="$column" -v groups="$*" '
    BEGIN { n = split(groups, group, " ") }
    NF > 1 && $column != "-" {
        for (i = 1; i <= n; i++) if (index(" " $3 " ", " " group[i] " ")) { print $column; next }
    }' | tr -d ' ')

if [ "$column" = 1 ]; then
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null \
        | sed -n 's/^installed //p' || true)
else
    installed=$(rpm -q --qf '%{NAME}\n' "${wanted[@]}" 2>/dev/null || true)
fi
missing=()
for package in "${wanted[@]}"; do
    # Some builds of nodejs bring npm along, and conflict with the package.
    if [ "$package" = npm ] && command -v npm >/dev/null; then continue; fi
    grep -qxF -- "$package" <<<"$installed" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$column" = 1 ]; then
    command="apt-get install --no-install-recommends ${missing[*]}"
else
    command="dnf install ${missing[*]}"
fi
if [ "$(id -u)" != 0 ] || ! command -v "${command%% *}" >/dev/null; then
    say "these packages are missing, and only root can install them:"
    say "    sudo $command"
    exit 1
fi

# ---- no service must start because its package was installed --------------------------------------
# Debian starts and enables apache2 when it installs it: it would hold port 80, which `make run`
# needs. policy-rc.d is Debian's way to say no; it says yes for what runs already and is upgraded.
# What stood there before is put back at the end.
policy=/usr/sbin/policy-rc.d
ours=
forbid_starts() {
    ours=1
    if [ -e "$policy" ] || [ -L "$policy" ]; then
        mv "$policy" "$policy.osproxy-saved"
    fi
    cat >"$policy" <<'END'
#!/bin/sh
# for the time of one installation by mod_osproxy's build/setup.sh
service "$1" status >/dev/null 2>&1 || exit 101
END
    chmod 755 "$policy"
}
allow_starts() {
    [ -n "$ours" ] || return 0
    ours=
    rm -f "$policy"
    if [ -e "$policy.osproxy-saved" ] || [ -L "$policy.osproxy-saved" ]; then
        mv "$policy.osproxy-saved" "$policy"
    fi
}
# The services that the packages just installed brought along.
disable_services() {
    local units unit
    mapfile -t units < <(dpkg -L "${missing[@]}" \
        | sed -n 's|^\(/usr\)\?/lib/systemd/system/\([a-z0-9.-]*\.service\)$|\2|p' | sort -u)
    [ ${#units[@]} -gt 0 ] || return 0
    if command -v systemctl >/dev/null; then
        systemctl --quiet disable "${units[@]}" 2>/dev/null || true
    else # a container or a chroot, which may get an init later
        deb-systemd-helper disable "${units[@]}" >/dev/null 2>&1 || true
        for unit in "${units[@]}"; do update-rc.d "${unit%.service}" disable 2>/dev/null || true; done
    fi
    say "services that came along, neither started nor enabled: ${units[*]}"
}
trap allow_starts EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say "installing ${#missing[@]} packages: ${missing[*]}"
if [ "$column" = 1 ]; then
    apt=(apt-get -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
    export DEBIAN_FRONTEND=noninteractive
    "${apt[@]}" update </dev/null || {
        say "apt-get update failed (its reason stands above): is there a network, and a mirror in" \
            "/etc/apt/sources.list?"
        exit 1
    }
    forbid_starts
    "${apt[@]}" install --no-install-recommends "${missing[@]}" </dev/null || {
        say "apt-get could not install them (its reason stands above); to try by hand:"
        say "    $command"
        exit 1
    }
    disable_services
else
    dnf -y install "${missing[@]}" </dev/null || {
        say "dnf could not install them (its reason stands above); some live in EPEL and CRB:"
        say "    dnf install epel-release && dnf config-manager --set-enabled crb"
        exit 1
    }
fi
say "installed"
