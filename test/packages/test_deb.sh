#!/usr/bin/env bash
# test_deb.sh: the Debian package, built, looked over by lintian, and installed, upgraded, removed and
# purged by apt on a copy of this machine, while a httpd is running.
# Usage: test/packages/test_deb.sh
set -euo pipefail

cd "$(dirname "$0")/../.."
out=build/out/packages-test
package=libapache2-mod-osproxy

# ---- outside: what is to be tested ---------------------------------------------------------------

# The same package under another version, with a settings file that differs: the one before, the next.
other_version() { # <package> <version> <last line of the settings>
    local tree=$out/$2
    rm -rf "$tree"
    dpkg-deb -R "$1" "$tree"
    sed -i "s/^Version: .*/Version: $2/" "$tree/DEBIAN/control"
    echo "$3" >>"$tree/etc/apache2/mods-available/osproxy.conf"
    # a quick package: it is installed once
    dpkg-deb --root-owner-group -Znone -b "$tree" "$out/$2.deb" >/dev/null
    rm -rf "$tree"
}

if [ "${1:-}" != inside ]; then
    rm -rf "$out/packages"
    # what the compiler makes of the sources is asked elsewhere; here it is to be quick
    OUT=$out DEB_BUILD_OPTIONS="noopt ${DEB_BUILD_OPTIONS:-}" build/package.sh deb
    status=0
    lintian --allow-root --fail-on error,warning "$out"/packages/*.changes >"$out/lintian" 2>&1 || status=$?
    echo "lintian ended with $status" >>"$out/lintian"
    built=$(echo "$out/packages/$package"_*.deb)
    cp "$built" "$out/built.deb"
    other_version "$built" 0.0.9-1 '# of the version before'
    other_version "$built" 99.0-1 '# of the next version'
    exec test/packages/overlay.sh "$PWD/test/packages/test_deb.sh" inside
fi

# ---- inside: a copy of this machine --------------------------------------------------------------

work=/tmp/work
mkdir -p "$work"
chmod 755 "$work"
settings=/etc/apache2/mods-available/osproxy.conf
site=/etc/apache2/sites-available/apps.conf
folders=(/etc /usr /var/lib/apache2 /var/cache/apache2)
export DEBIAN_FRONTEND=noninteractive

log() { sed 's/^/    /' "$1"; }
apt() { # as an administrator would, without questions: what was edited stays
    apt-get -y -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
        -o Dpkg::Options::=--force-unsafe-io -o APT::Sandbox::User=root "$@" >"$work/apt" 2>&1 </dev/null \
        || { log "$work/apt"; return 1; }
}
same() { diff "$1" "$2" || { echo "differs: $3"; return 1; }; }
picture() {
    find "${folders[@]}" -xdev \( -name '*.pyc' -o -name __pycache__ -o -path /etc/ld.so.cache \
        -o -path /usr/share/mime \) -prune -o \
        \( -type f -printf '%y %m %u %p %s\n' -o ! -type d -printf '%y %p %l\n' \
        -o -printf '%y %m %u %p\n' \) | sort
}
configtest() { # httpd takes it; what the audit advises is no message, and AH00558 asks for a ServerName
    apachectl configtest >"$work/configtest" 2>&1 || { log "$work/configtest"; return 1; }
    grep -v AH00558 "$work/configtest" | no_line -E '(AH[0-9]{5}|OSP[0-9]{4}): '
}
ask() { curl -sS --max-time 20 --noproxy '*' --path-as-is --resolve apps.example.com:80:127.0.0.1 "$@"; }
# What the app server received, through the module: the path as it was written, the host that was asked.
goes_through() {
    ask http://apps.example.com/App/a%2Fb//%7Ec >"$work/answer" || return 1
    [ "$(cat "$work/answer")" = "/App/a%2Fb//%7Ec apps.example.com" ] || { log "$work/answer"; return 1; }
}
goes_past_the_module() {
    ask http://apps.example.com/x >"$work/answer" || return 1
    [ "$(cat "$work/answer")" = "/x 127.0.0.2" ] || { log "$work/answer"; return 1; }
}
status_page() { ask http://127.0.0.1/osproxy-status?json; }

start_app_server() { test/packages/app_server.py 127.0.0.2 80 </dev/null >"$work/app.log" 2>&1 & }

stock="access_compat alias auth_basic authn_core authn_file authz_core authz_host authz_user autoindex \
deflate dir env filter mime mpm_event negotiation reqtimeout setenvif status"
# A stock server: Debian's configuration without sites, without a proxy, without us.
stock_server() {
    rm -f /etc/apache2/{sites,conf}-enabled/* /etc/apache2/mods-{available,enabled}/{zz_,}osproxy.* \
        "$(apxs -q LIBEXECDIR)/mod_osproxy.so" /usr/sbin/policy-rc.d
    rm -rf /etc/apache2/conf.d
    local file
    for file in /etc/apache2/mods-enabled/*; do
        file=${file##*/}
        [[ " $stock " == *" ${file%.*} "* ]] || rm -f "/etc/apache2/mods-enabled/$file"
    done
    rm -f /var/lib/apache2/module/*/{proxy,proxy_http,osproxy,zz_osproxy}
    cat >"$site" <<'CONF'
<VirtualHost *:80>
    ServerName apps.example.com
    <IfModule osproxy_module>
        OSProxyEngine On
    </IfModule>
    ProxyPreserveHost Off
    ProxyPass "/" "http://127.0.0.2/" ttl=60
</VirtualHost>
CONF
    sed -i "s/^Listen 80$/Listen 127.0.0.1:80/" /etc/apache2/ports.conf
    # build/setup.sh keeps apache2 from starting, and without init there is no runlevel to start it in
    update-rc.d apache2 enable
    rm -f /sbin/runlevel
    printf '#!/bin/sh\necho N 2\n' >/sbin/runlevel
    chmod 755 /sbin/runlevel
    mkdir -p /var/log/apache2 /var/lib/apache2/{module,conf,site}/{enabled,disabled}_by_{admin,maint}
    rm -f /var/log/apache2/*
}

test_01_lintian_has_neither_errors_nor_warnings() {
    grep -qx 'lintian ended with 0' build/out/packages-test/lintian \
        || { log build/out/packages-test/lintian; return 1; }
}

test_02_it_installs_and_enables_itself_behind_mod_proxy() {
    picture >"$work/before"
    apt install "$PWD/build/out/packages-test/0.0.9-1.deb"
    a2query -q -m osproxy
    a2query -q -m proxy_http
    configtest
    apachectl -M >"$work/modules" 2>/dev/null
    grep -q " osproxy_module (shared)" "$work/modules"
}

test_03_as_installed_it_only_watches() {
    grep -q '^    OSProxyEngine Report$' "$settings"
    apachectl -t -D DUMP_OSPROXY_JSON >"$work/json" 2>/dev/null
    /usr/bin/python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$work/json"
}

test_04_httpd_starts_and_requests_go_through_the_module() {
    a2ensite -q apps >/dev/null
    configtest
    /etc/init.d/apache2 restart >"$work/start" 2>&1 || { log "$work/start"; return 1; }
    until_it_works goes_through
    status_page >"$work/page"
    grep -q "\"vhosts\"" "$work/page"
}

test_05_an_upgrade_replaces_settings_that_nobody_edited_and_httpd_serves_on() {
    grep -q 'of the version before' "$settings"
    apt install "$PWD/build/out/packages-test/built.deb"
    no_line 'of the version before' "$settings"
    until_it_works goes_through
}

test_06_an_upgrade_keeps_settings_that_were_edited() {
    sed -i 's/OSProxyEngine Report/OSProxyEngine On/' "$settings"
    apt install "$PWD/build/out/packages-test/99.0-1.deb"
    grep -q '^    OSProxyEngine On$' "$settings"
    grep -q 'of the next version' "$settings.dpkg-dist"
    configtest
    until_it_works goes_through
}

test_07_who_disabled_it_finds_it_disabled_after_an_upgrade() {
    a2dismod -q osproxy >/dev/null
    apt install --allow-downgrades "$PWD/build/out/packages-test/built.deb"
    must_fail a2query -m osproxy
    configtest
    a2enmod -q osproxy >/dev/null
    configtest
    /etc/init.d/apache2 restart >"$work/start" 2>&1 || { log "$work/start"; return 1; }
    until_it_works goes_through
}

test_08_its_commands_work_without_the_source() {
    cd /
    osproxy version | grep -qx "mod_osproxy/$(dpkg-query -W -f '${source:Upstream-Version}' $package)"
    # the virtual host answers plain http: the audit has something to say and no error
    osproxy audit >"$work/audit" 2>&1 || { log "$work/audit"; return 1; }
    grep -q '^osproxy: [0-9]* virtual hosts\?: 0 errors' "$work/audit"
    sed 's/ttl=60/ttl=600/; s/80>/8080>/' "$site" >"$work/site"
    cp "$work/site" "$site"
    must_fail osproxy audit
    sed -i 's/8080>/80>/; s/ttl=600/ttl=60/' "$site"
    osproxy check-live --domain nobody.example.com >"$work/live" 2>&1 || [ $? = 2 ]
    grep -q 'nobody.example.com' "$work/live" || { log "$work/live"; return 1; }
    osproxy capacity --clients 2000 --memory 4096 >"$work/capacity"
    grep -q '^<IfModule mpm_event_module>' "$work/capacity"
    # no balancer manager is configured
    osproxy drain --domain apps.example.com --manager http://127.0.0.1/none >"$work/drain" 2>&1 || [ $? = 2 ]
    grep -q '^drain: http://127.0.0.1/none ' "$work/drain" || { log "$work/drain"; return 1; }
}

test_09_its_documents_refer_to_files_that_are_there() {
    local documents=/usr/share/doc/$package page target
    [ -f "$documents/examples/https-offload.conf" ]
    [ -f "$documents/mod_osproxy/docs/messages/OSP0001.md" ]
    man -w mod_osproxy osproxy >/dev/null
    cd "$documents"
    find . -name '*.md' | while read -r page; do
        { grep -o '](\([^)#:]*\))' "$page" || true; } | sed 's/^](\(.*\))$/\1/' | while read -r target; do
            [ -e "${page%/*}/$target" ] || echo "$page: $target"
        done
    done >"$work/links"
    # the licence is Debian's own copy, tests and build stay in the source
    no_line -vE ': (LICENSE|(\.\./)*(test|build)/.*)$' "$work/links"
}

test_10_removal_leaves_the_settings_and_httpd_runs_on_without_it() {
    apt remove $package
    [ -f "$settings" ]
    must_fail a2query -m osproxy
    configtest
    until_it_works goes_past_the_module
}

test_11_a_purge_leaves_nothing_behind() {
    apt purge $package
    a2dissite -q apps >/dev/null
    # what the module needed stays enabled: others may need it by now
    a2dismod -q -p proxy_http >/dev/null
    a2dismod -q -p proxy >/dev/null
    rm -f /var/lib/apache2/*/{enabled,disabled}_by_{admin,maint}/{apps,proxy,proxy_http}
    picture >"$work/after"
    same "$work/before" "$work/after" "the machine after a purge"
}

stock_server
start_app_server
# shellcheck source=test/run_tests.sh
. test/run_tests.sh
run_tests deb stop # each goes on from the one before
