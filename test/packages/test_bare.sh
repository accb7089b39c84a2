#!/usr/bin/env bash
# test_bare.sh: the two commands of the README on a machine that has nothing: Debian 12 as debootstrap
# makes it, with git and make as the only additions, packages from where this machine gets its own.
# Usage: test/packages/test_bare.sh (needs root, debootstrap, a network, some 4 GB and half an hour)
set -euo pipefail

top=$(realpath "$(dirname "$0")/../..")
cd "$top"
if [ -z "${OSP_PRIVATE:-}" ]; then
    # shellcheck source=test/private.sh
    . test/private.sh
    # The network stays: apt and npm need it.
    become_private --pid --fork --kill-child -- "$0" "$@"
    exit
fi
command -v debootstrap >/dev/null || { echo "debootstrap is missing: apt-get install debootstrap" >&2; exit 1; }

# In memory, where all of it is gone afterwards.
mount -t tmpfs -o mode=755 osproxy-test "$OSP_PRIVATE"
mount -t proc proc /proc

# Kept from one run to the next: the machine as debootstrap made it. What is tested is a copy.
bare=$top/build/out/bare
root=$OSP_PRIVATE/root
log() { tail -n "${2:-60}" "$1" | sed 's/^/    /'; }

mirror() { apt-get indextargets --format "\$(REPO_URI)" 'Created-By: Packages' 'Codename: bookworm' | head -n 1; }
inside() {
    env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
        ${NODE_EXTRA_CA_CERTS:+NODE_EXTRA_CA_CERTS=/root/ca.crt} chroot "$root" "$@"
}

test_1_debootstrap_makes_it() {
    if [ ! -e "$bare.tar" ]; then
        rm -rf "$bare"
        debootstrap --variant=minbase --include=git,make bookworm "$bare" "$(mirror)" \
            >"$OSP_PRIVATE/debootstrap" 2>&1 || { log "$OSP_PRIVATE/debootstrap"; return 1; }
        tar -C "$bare" -cf "$bare.tar.new" .
        mv "$bare.tar.new" "$bare.tar"
        rm -rf "$bare"
    fi
}

test_2_with_git_and_make_and_no_more() {
    mkdir "$root"
    tar -C "$root" -xf "$bare.tar"
    mount -t proc proc "$root/proc"
    mount -t sysfs sysfs "$root/sys"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs -o mode=755 osproxy-test "$root/run"
    mkdir -p "$root/run/lock"
    # where packages come from, as this machine has it
    rm -rf "$root/etc/apt/sources.list" "$root/etc/apt/sources.list.d"
    cp -rL /etc/apt/sources.list* /etc/apt/apt.conf.d "$root/etc/apt/" 2>/dev/null
    cp -rL /usr/share/keyrings/. "$root/usr/share/keyrings/"
    cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
    if [ -n "${NODE_EXTRA_CA_CERTS:-}" ]; then cp "$NODE_EXTRA_CA_CERTS" "$root/root/ca.crt"; fi
    if command -v npm >/dev/null; then
        printf 'registry=%s\n' "$(npm config get registry)" >"$root/root/.npmrc"
        if [ -e ~/.npmrc ]; then cat ~/.npmrc >>"$root/root/.npmrc"; fi
    fi
    git -c safe.directory='*' clone -q "$top" "$root/root/mod_osproxy"
    for program in gcc apache2 python3 curl; do must_fail inside sh -c "command -v $program"; done
}

# As a user would: start it, wait for what it prints, open that, press Ctrl-C.
test_3_make_run_serves_the_farm() {
    inside sh -c 'cd /root/mod_osproxy && exec setsid make run' >"$OSP_PRIVATE/run" 2>&1 </dev/null &
    local end=$((SECONDS + 900)) started settings url
    until grep -q 'answers 200' "$OSP_PRIVATE/run"; do
        if ! kill -0 $! 2>/dev/null || [ $SECONDS -ge $end ]; then
            log "$OSP_PRIVATE/run"
            return 1
        fi
        sleep 1
    done
    cp "$OSP_PRIVATE/run" "$top/build/out/bare-run.log"
    settings=$(sed -n 's/^ *curl -K \([^ ]*\) .*/\1/p' "$OSP_PRIVATE/run" | head -n 1)
    sed -n 's/^ *\(https:[^ ]*\)  .*/\1/p' "$OSP_PRIVATE/run" | while read -r url; do
        inside curl -sS --max-time 20 -K "$settings" -o /dev/null -w "%{http_code} $url\n" "$url"
    done >"$OSP_PRIVATE/answers"
    # Windows authentication asks who is there, the Traditional module for a login
    cut -d ' ' -f 1 "$OSP_PRIVATE/answers" | sort | uniq -c | tr -s ' \n' ' ' >"$OSP_PRIVATE/sum"
    grep -qx ' 4 200 1 302 1 401 ' "$OSP_PRIVATE/sum" || { log "$OSP_PRIVATE/answers"; log "$OSP_PRIVATE/run"; return 1; }
    started=$(pgrep -f 'build/run.sh' | head -n 1)
    kill -INT -- "-$(ps -o pgid= -p "$started" | tr -d ' ')"
    until_it_works must_fail pgrep -f 'build/run.sh'
    must_fail inside curl -sS --max-time 5 -K "$settings" https://apps.osproxy.test/
}

test_4_make_test_passes() {
    inside sh -c 'cd /root/mod_osproxy && make test' >"$OSP_PRIVATE/test" 2>&1 </dev/null \
        || { cp "$OSP_PRIVATE/test" "$top/build/out/bare-test.log"; log "$OSP_PRIVATE/test" 200; return 1; }
    cp "$OSP_PRIVATE/test" "$top/build/out/bare-test.log"
    grep -Eq '^[0-9]+ passed, 0 failed$' "$OSP_PRIVATE/test"
}

# shellcheck source=test/run_tests.sh
. test/run_tests.sh
run_tests bare stop # each goes on from the one before
