#!/usr/bin/env bash
# test_image.sh: the image of build/container/Containerfile, built and run by buildah without an engine: as its
# user, with the capabilities that a container begins with; network and processes are its own.
# Skipped where buildah is not installed. Usage: test/packages/test_image.sh
#
# From the environment: BASE, a base image that buildah can get. Without it debootstrap makes one of what apt has
# here, once: it is kept below build/out. Either way the build needs apt's network.
set -euo pipefail

cd "$(dirname "$0")/../.."
out=$PWD/build/out/packages-test/image
image=localhost/osproxy-test
buildah=(buildah --root "$out/storage" --runroot "$out/run")

# ---- outside: the image --------------------------------------------------------------------------

skip() { echo "image: SKIPPED, nothing was tested: $*"; exit 0; }

# The smallest Debian, as the base images of registries are.
make_base() {
    local sources uri suite container
    # shellcheck disable=SC2016
    sources=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' 'Origin: Debian')
    read -r uri suite <<<"$sources"
    rm -rf "$out/base"
    debootstrap --variant=minbase "$suite" "$out/base" "$uri" >"$out/log" 2>&1 || return 1
    rm -f "$out"/base/var/cache/apt/archives/*.deb
    echo force-unsafe-io >"$out/base/etc/dpkg/dpkg.cfg.d/image"
    while read -r uri suite; do echo "deb $uri $suite main"; done <<<"$sources" >"$out/base/etc/apt/sources.list"
    container=$("${buildah[@]}" from scratch)
    "${buildah[@]}" add -q "$container" "$out/base" / >/dev/null
    "${buildah[@]}" commit -q --rm "$container" "$1" >/dev/null
    rm -rf "$out/base"
}

if [ "${1:-}" != inside ]; then
    command -v buildah >/dev/null || skip "buildah is not installed"
    mkdir -p "$out"
    if [ -z "${BASE:-}" ]; then
        BASE=localhost/osproxy-base
        if ! "${buildah[@]}" inspect --type image $BASE >/dev/null 2>&1; then
            command -v debootstrap >/dev/null || skip "debootstrap is not installed, and BASE names no base image"
            make_base $BASE || { tail -n 20 "$out/log"; echo "image: no base image"; exit 1; }
        fi
    fi
    "${buildah[@]}" build --isolation chroot --format docker --pull=false --build-arg "BASE=$BASE" -t "$image" \
        -f build/container/Containerfile . >"$out/log" 2>&1 || {
        tail -n 40 "$out/log"
        echo "image: not built; all of it: $out/log"
        exit 1
    }
    # shellcheck source=test/private.sh
    . test/private.sh
    become_private --net --pid --fork --kill-child --mount-proc -- "$PWD/test/packages/test_image.sh" inside
    exit
fi

# ---- inside: a container -------------------------------------------------------------------------

work=$OSP_PRIVATE
mount -t tmpfs -o mode=755 osproxy-test "$work"
mkdir "$work/sites" "$work/logs"
ip link set lo up
container=$("${buildah[@]}" from --pull-never "$image")
log() { sed 's/^/    /' "$1"; }
run_in() {
    "${buildah[@]}" run --isolation chroot -v "$work/sites:/etc/apache2/sites-enabled:ro" -v "$work/logs:/logs" \
        "$container" -- "$@"
}
healthcheck() { run_in /usr/local/bin/healthcheck.py; }
goes_through() {
    curl -sS --max-time 20 --noproxy '*' --path-as-is --resolve apps.example.com:80:127.0.0.1 \
        http://apps.example.com/App/a%2Fb//%7Ec >"$work/answer" || return 1
    [ "$(cat "$work/answer")" = "/App/a%2Fb//%7Ec apps.example.com" ] || { log "$work/answer"; return 1; }
}

start_app_server() { test/packages/app_server.py 127.0.0.2 8000 </dev/null >"$work/app.log" 2>&1 & }

test_1_it_says_how_it_wants_to_be_run() {
    "${buildah[@]}" inspect --type image "$image" >"$work/inspect"
    /usr/bin/python3 - "$work/inspect" >"$work/said" <<'PYTHON'
import json
import sys

with open(sys.argv[1]) as file:
    said = json.load(file)["Docker"]["config"]
for name in ("User", "Cmd", "StopSignal"):
    print(name, said[name])
print(*sorted(said["ExposedPorts"]), said["Healthcheck"]["Test"])
PYTHON
    cat >"$work/wanted" <<'END'
User www-data
Cmd ['/usr/local/bin/start.sh']
StopSignal SIGWINCH
443/tcp 80/tcp ['CMD', '/usr/local/bin/healthcheck.py']
END
    diff "$work/wanted" "$work/said"
}

test_2_it_holds_what_runs_and_nothing_that_builds() {
    # shellcheck disable=SC2016
    run_in sh -c 'id -un; for name in gcc make dpkg-buildpackage git; do ! command -v "$name"; done
        ls -d /source /tmp/* /mod_osproxy.deb 2>/dev/null; osproxy version' >"$work/held"
    printf '%s\n' www-data "mod_osproxy/$(build/package.sh version)" >"$work/wanted"
    diff "$work/wanted" "$work/held"
}

test_3_it_runs_as_www_data_on_the_ports_of_outsystems() {
    cat >"$work/sites/apps.conf" <<'CONF'
<VirtualHost *:80>
    ServerName apps.example.com
    OSProxyEngine On
    ProxyPass "/osproxy-status" "!"
    ProxyPass "/" "http://127.0.0.2:8000/" ttl=60
</VirtualHost>
CONF
    must_fail healthcheck
    # Files of the user's own: an engine's pipes are, those of buildah are not.
    local user
    user=$(run_in id -u)
    chown "$user" "$work/logs"
    run_in sh -c 'exec /usr/local/bin/start.sh >/logs/stdout 2>/logs/stderr' </dev/null &
    until_it_works healthcheck || { log "$work/logs/stderr"; return 1; }
    pgrep -u "$user" -x apache2 >/dev/null
    must_fail pgrep -u 0 -x apache2
    ss -Hltn >"$work/listening"
    grep -q ':80 ' "$work/listening"
    grep -q ':443 ' "$work/listening"
}

test_4_requests_go_through_the_module() {
    start_app_server
    until_it_works goes_through
    grep -q 'GET /App/a%2Fb//%7Ec' "$work/logs/stdout"
    grep -q 'OSP0004: ' "$work/logs/stderr"
}

test_5_it_ends_when_it_is_told_to() {
    kill -WINCH "$(pgrep -o -x apache2)"
    until_it_works must_fail pgrep -x apache2
    grep -q 'shutting down' "$work/logs/stderr" || { log "$work/logs/stderr"; return 1; }
}

# shellcheck source=test/run_tests.sh
. test/run_tests.sh
status=0
run_tests image stop || status=$? # each goes on from the one before
"${buildah[@]}" rm "$container" >/dev/null
"${buildah[@]}" rmi "$image" >/dev/null
exit $status
