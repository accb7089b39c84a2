#!/usr/bin/env bash
# test_container.sh: what build/container makes of a machine, on a copy of this one: the steps of the
# Containerfile's last stage, httpd as www-data in the foreground, logs, health, end. test_image.sh
# builds the image itself, where it can. After test_deb.sh, which builds the package.
# Usage: test/packages/test_container.sh
set -euo pipefail

cd "$(dirname "$0")/../.."
container=build/container
if [ "${1:-}" != inside ]; then
    exec test/packages/overlay.sh "$PWD/test/packages/test_container.sh" inside
fi

# ---- inside: a copy of this machine --------------------------------------------------------------

work=/tmp/work
mkdir -p "$work"
chmod 755 "$work"
export DEBIAN_FRONTEND=noninteractive
log() { sed 's/^/    /' "$1"; }
# As an engine does: nobody else's groups, and no more privileges than a container begins with.
as_www_data=(setpriv --reuid www-data --regid www-data --clear-groups)
healthcheck() { "${as_www_data[@]}" /usr/local/bin/healthcheck.py; }

# The steps themselves, in their order; apt has no network here, and what it would fetch is installed.
steps() {
    sed -e ':a' -e '/\\$/N; s/\\\n//; ta' "$container/Containerfile" | awk '/^FROM/ { stage++ } stage == 2'
}
follow_steps() {
    local word rest
    while read -r word rest; do
        case $word in
            COPY)
                case $rest in
                    --from=build*) cp build/out/packages-test/built.deb "${rest##* }" ;;
                    *) # shellcheck disable=SC2086
                        cp -r $rest ;;
                esac ;;
            RUN) sh -ec "${rest/apt-get update/true}" ;;
        esac
    done < <(steps)
}

test_1_the_steps_can_be_followed() {
    rm -f /etc/apache2/{sites,conf}-enabled/* /etc/apache2/mods-{available,enabled}/{zz_,}osproxy.* \
        /etc/apache2/mods-enabled/{security2,auth_openidc}.*
    # what is installed is not to be fetched anew
    echo 'APT::Get::Upgrade "false";' >/etc/apt/apt.conf.d/99test
    follow_steps
    a2query -q -m osproxy
    must_fail test -e /tmp/mod_osproxy.deb
}

test_2_every_file_that_is_copied_is_the_projects() {
    local file
    for file in $(sed -n 's/^COPY \(build.*\)/\1/p' "$container/Containerfile" | tr ' ' '\n' | grep ^build/); do
        git ls-files --error-unmatch "$file" >/dev/null
    done
    [ "$(grep -c '^COPY build/container' "$container/Containerfile")" = 3 ]
}

test_3_httpd_runs_as_www_data_on_the_ports_of_outsystems() {
    cat >/etc/apache2/sites-enabled/apps.conf <<'CONF'
<VirtualHost *:80>
    ServerName apps.example.com
    OSProxyEngine On
    ProxyPass "/osproxy-status" "!"
    ProxyPass "/" "http://127.0.0.2/" ttl=60
</VirtualHost>
CONF
    must_fail healthcheck
    # pipes of the user's own, as an engine gives them
    mkdir "$work/logs"
    chown www-data "$work/logs"
    # shellcheck disable=SC2016
    "${as_www_data[@]}" sh -c 'exec /usr/local/bin/start.sh >"$0/stdout" 2>"$0/stderr"' "$work/logs" </dev/null &
    echo $! >"$work/pid"
    until_it_works healthcheck || { tail -n 20 "$work/logs/stderr"; return 1; }
    [ "$(ps -o user= -p "$(cat "$work/pid")")" = www-data ]
    [ "$(ps -o comm= -p "$(cat "$work/pid")")" = apache2 ]
    must_fail pgrep -u root apache2
    ss -Hltn >"$work/listening"
    grep -q ':80 ' "$work/listening"
    grep -q ':443 ' "$work/listening"
}

test_4_it_logs_to_stdout_and_stderr_and_nowhere_else() {
    grep -q 'GET /osproxy-status' "$work/logs/stdout"
    grep -q 'resuming normal operations' "$work/logs/stderr"
    grep -q 'OSP0004: ' "$work/logs/stderr"
    find /var/log/apache2 -type f -newer "$work/pid" -size +0 >"$work/written"
    no_line . "$work/written"
}

test_5_it_is_unhealthy_when_httpd_does_not_answer() {
    kill -STOP "$(cat "$work/pid")" $(pgrep -u www-data apache2)
    must_fail healthcheck
    kill -CONT "$(cat "$work/pid")" $(pgrep -u www-data apache2)
    until_it_works healthcheck
}

test_6_it_ends_when_it_is_told_to() {
    kill -WINCH "$(cat "$work/pid")"
    until_it_works must_fail kill -0 "$(cat "$work/pid")"
    grep -q 'shutting down' "$work/logs/stderr" || { log "$work/logs/stderr"; return 1; }
}

# shellcheck source=test/run_tests.sh
. test/run_tests.sh
run_tests container stop # each goes on from the one before
