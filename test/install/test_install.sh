#!/usr/bin/env bash
# test_install.sh: `make install` and `make uninstall` with the real apxs, a2enmod and apachectl.
# Usage: test/install/test_install.sh <mod_osproxy.so>
#
# Runs in a mount namespace of its own, where /etc/apache2, the modules folder and a2enmod's state
# are copies: nothing of this machine changes. RHEL's layout is imitated below DESTDIR.
set -euo pipefail

say() { echo "install: $*"; }
module=$(realpath "${1:?usage: test_install.sh <mod_osproxy.so>}")
top=$(realpath "$(dirname "$0")/../..")
cd "$top"

if [ -z "${OSP_PRIVATE:-}" ]; then
    # shellcheck source=test/private.sh
    . test/private.sh
    become_private -- "$0" "$module"
    exit
fi

work=$OSP_PRIVATE
mount -t tmpfs osproxy-test "$work"
apxs=$(command -v apxs || command -v apxs2)
sysconf=$("$apxs" -q SYSCONFDIR)
libexec=$("$apxs" -q LIBEXECDIR)
state=/var/lib/apache2
folders=("$sysconf" "$libexec" "$state")
export MODULE=$module APXS=$apxs
unset DESTDIR

# ---- what the tests share ------------------------------------------------------------------------

# A stock server without proxy modules: private copies of its three folders.
fresh_server() {
    local folder copy
    for folder in "${folders[@]}"; do
        ! mountpoint -q "$folder" || umount "$folder"
        copy=$work/copy$folder
        rm -rf "$copy"
        mkdir -p "$copy"
        cp -a "$folder/." "$copy/"
        mount --bind "$copy" "$folder"
    done
    rm -f "$sysconf"/mods-enabled/{proxy,zz_osproxy,osproxy,rewrite}*.{load,conf} \
        "$sysconf"/mods-available/{zz_,}osproxy.load "$libexec/mod_osproxy.so" \
        "$sysconf"/sites-enabled/* "$state"/module/*/{proxy,proxy_http,zz_osproxy,osproxy}
    rm -rf "$sysconf/conf.d"
    mkdir -p "$state"/module/{enabled,disabled}_by_admin # where a2enmod keeps its books
}

# Every file's kind, mode, link and content.
picture() {
    {
        find "${@:-${folders[@]}}" -printf '%y %m %p %l\n'
        find "${@:-${folders[@]}}" -type f -exec sha256sum {} +
    } | sort
}

build_install() { build/install.sh "$1" >"$work/output" 2>&1 || { cat "$work/output"; return 1; }; }
fails() { # <command>...
    if "$@" >"$work/output" 2>&1; then
        echo "should have failed: $*"
        return 1
    fi
}
said() { grep -qF -- "$1" "$work/output" || { echo "did not say: $1"; cat "$work/output"; return 1; }; }
same() { diff "$1" "$2" || { echo "differs: $3"; return 1; }; }
configtest() { apachectl configtest >"$work/configtest" 2>&1 || { cat "$work/configtest"; return 1; }; }
loaded() { apachectl -M 2>/dev/null | grep -q ' osproxy_module (shared)'; }
loads_after_proxy() {
    local order
    order=$(cd "$sysconf/mods-enabled" && printf '%s\n' *.load | grep -E '^(proxy|zz_osproxy)\.load$' | tr '\n' ' ')
    [ "$order" = 'proxy.load zz_osproxy.load ' ] || { echo "order of load files: $order"; return 1; }
}
include_conf() { echo 'Include conf.d/osproxy.conf' >>"$sysconf/apache2.conf"; }

# ---- Debian --------------------------------------------------------------------------------------

test_install_include_and_configtest_are_all_it_takes() {
    fresh_server
    build_install install
    loads_after_proxy
    configtest
    loaded
    include_conf
    echo 'OSProxyEngine On' >>"$sysconf/apache2.conf"
    configtest
}

test_uninstall_leaves_every_file_as_it_was() {
    fresh_server
    picture >"$work/before"
    build_install install
    build_install uninstall
    picture >"$work/after"
    same "$work/before" "$work/after" "the tree after uninstall"
}

test_installing_twice_is_undone_by_one_uninstall() {
    fresh_server
    picture >"$work/before"
    build_install install
    build_install install
    build_install uninstall
    picture >"$work/after"
    same "$work/before" "$work/after" "the tree after uninstall"
}

test_uninstall_leaves_a_proxy_that_was_enabled_before() {
    fresh_server
    a2enmod -q proxy_http proxy_balancer >/dev/null
    picture >"$work/before"
    build_install install
    build_install uninstall
    picture >"$work/after"
    same "$work/before" "$work/after" "the tree after uninstall"
}

test_uninstall_leaves_a_proxy_that_the_configuration_uses_by_now() {
    fresh_server
    build_install install
    echo 'ProxyPass "/a/" "http://127.0.0.1:1/a/"' >"$sysconf/sites-enabled/site.conf"
    build_install uninstall
    said "proxy stays enabled: the configuration uses it"
    configtest
}

test_uninstall_names_the_lines_that_need_the_module() {
    fresh_server
    build_install install
    include_conf
    echo 'OSProxyEngine On' >"$sysconf/sites-enabled/site.conf"
    build_install uninstall
    said "$sysconf/sites-enabled/site.conf:1:OSProxyEngine On"
    said "$sysconf/apache2.conf:"
}

test_a_changed_osproxy_conf_stays_and_the_new_one_lies_beside_it() {
    fresh_server
    build_install install
    echo '# mine' >>"$sysconf/conf.d/osproxy.conf"
    build_install install
    said "osproxy.conf.new"
    grep -q '^# mine' "$sysconf/conf.d/osproxy.conf"
    cmp conf.d/osproxy.conf "$sysconf/conf.d/osproxy.conf.new"
}

test_an_untouched_osproxy_conf_is_replaced() {
    fresh_server
    build_install install
    echo '# an older version' >"$sysconf/conf.d/osproxy.conf"
    sed -i "s/^file [0-9a-f]* \(.*osproxy.conf\)$/file $(sha256sum <"$sysconf/conf.d/osproxy.conf" \
        | cut -d' ' -f1) \1/" "$sysconf/conf.d/.osproxy.installed"
    build_install install
    cmp conf.d/osproxy.conf "$sysconf/conf.d/osproxy.conf"
    [ ! -e "$sysconf/conf.d/osproxy.conf.new" ]
}

test_uninstall_keeps_a_changed_osproxy_conf_out_of_the_way() {
    fresh_server
    build_install install
    echo '# mine' >>"$sysconf/conf.d/osproxy.conf"
    build_install uninstall
    said "osproxy.conf.saved"
    grep -q '^# mine' "$sysconf/conf.d/osproxy.conf.saved"
    [ ! -e "$sysconf/conf.d/osproxy.conf" ]
}

test_uninstall_without_an_installation_says_so() {
    fresh_server
    fails build/install.sh uninstall
    said "nothing to undo"
}

# ---- Debian, by hand -----------------------------------------------------------------------------

by_hand() { "$apxs" -i -a -n osproxy "$module" >"$work/output" 2>&1; }

test_apxs_by_hand_in_front_of_proxy_is_explained_by_configtest() {
    fresh_server
    a2enmod -q proxy >/dev/null
    by_hand
    fails apachectl configtest
    said "OSP0001"
}

test_apxs_by_hand_without_proxy_is_explained_by_configtest() {
    fresh_server
    by_hand
    fails apachectl configtest
    said "OSP0002"
}

test_make_install_mends_what_apxs_by_hand_left() {
    fresh_server
    by_hand
    build_install install
    [ ! -e "$sysconf/mods-enabled/osproxy.load" ]
    loads_after_proxy
    configtest
    loaded
}

# ---- RHEL ----------------------------------------------------------------------------------------

# RHEL's tree, with this machine's modules, and an apxs that answers as RHEL's does.
fresh_rhel() {
    local root=$work/rhel name
    rm -rf "$root" "$work/apxs"
    mkdir -p "$root/etc/httpd/conf" "$root/etc/httpd/conf.d" "$root/etc/httpd/conf.modules.d" \
        "$root/usr/lib64/httpd/modules" "$root/etc/httpd/logs"
    cp "$libexec"/*.so "$root/usr/lib64/httpd/modules/"
    rm -f "$root/usr/lib64/httpd/modules/mod_osproxy.so"
    ln -s ../../usr/lib64/httpd/modules "$root/etc/httpd/modules"
    echo 'LoadModule mpm_event_module modules/mod_mpm_event.so' >"$root/etc/httpd/conf.modules.d/00-mpm.conf"
    for name in authz_core authz_host; do
        echo "LoadModule ${name}_module modules/mod_$name.so"
    done >"$root/etc/httpd/conf.modules.d/00-base.conf"
    for name in proxy proxy_http; do
        echo "LoadModule ${name}_module modules/mod_$name.so"
    done >"$root/etc/httpd/conf.modules.d/00-proxy.conf"
    cat >"$root/etc/httpd/conf/httpd.conf" <<END
ServerRoot "$root/etc/httpd"
ServerName rhel.test
Listen 127.0.0.1:80
Include conf.modules.d/*.conf
IncludeOptional conf.d/*.conf
END
    cat >"$work/apxs" <<'END'
#!/bin/sh
case "$1 $2" in
    '-q SYSCONFDIR') echo /etc/httpd/conf ;;
    '-q LIBEXECDIR') echo /usr/lib64/httpd/modules ;;
    *) echo "unexpected: apxs $*" >&2; exit 1 ;;
esac
END
    chmod 755 "$work/apxs"
}
rhel() { APXS=$work/apxs DESTDIR=$work/rhel build_install "$1"; }
rhel_httpd() { apache2 -f "$work/rhel/etc/httpd/conf/httpd.conf" "$@" 2>&1; }

test_rhel_install_loads_after_proxy_and_passes_configtest() {
    fresh_rhel
    rhel install
    [ -f "$work/rhel/etc/httpd/conf.d/osproxy.conf" ]
    echo 'OSProxyEngine On' >>"$work/rhel/etc/httpd/conf/httpd.conf"
    rhel_httpd -t >"$work/output" || { cat "$work/output"; return 1; }
    rhel_httpd -M | grep -q ' osproxy_module (shared)'
}

test_rhel_uninstall_leaves_every_file_as_it_was() {
    fresh_rhel
    picture "$work/rhel" >"$work/before"
    rhel install
    rhel uninstall
    picture "$work/rhel" >"$work/after"
    same "$work/before" "$work/after" "the tree after uninstall"
}

# ---- the command of packages ---------------------------------------------------------------------

staged=$work/staged
stage() {
    rm -rf "$staged"
    build/stage.sh "$staged" /documents
}
ends_with() { # <status> <command>...: what it says is in output
    local wanted=$1 status=0
    shift
    "$@" >"$work/output" 2>&1 || status=$?
    [ "$status" = "$wanted" ] || { echo "ended with $status: $*"; cat "$work/output"; return 1; }
}

test_the_command_works_away_from_the_source() {
    stage
    cd /
    local osproxy=$staged/usr/sbin/osproxy nobody=http://127.0.0.1:1
    ends_with 0 "$osproxy" version
    said 'mod_osproxy/'
    ends_with 0 "$osproxy" capacity --clients 2000 --mpm worker --cores 2 --memory 4096
    said '<IfModule mpm_worker_module>'
    ends_with 1 "$osproxy" capacity --clients 9000 --mpm prefork --memory 2048
    ends_with 2 "$osproxy" drain --domain apps.example.com --manager "$nobody/balancer-manager"
    said "drain: $nobody/balancer-manager: "
    ends_with 2 "$osproxy" check-live --domain apps.example.com --status "$nobody/osproxy-status"
    said "check-live: $nobody/osproxy-status"
    ends_with 2 "$osproxy" drain
    ends_with 2 "$osproxy" mend
    said "there is no command 'mend'"
}

# Commands and their options: what each says by itself, and its page.
test_its_page_has_every_command_and_option() {
    stage
    local osproxy=$staged/usr/sbin/osproxy page=$staged/usr/share/man/man8/osproxy.8 name option
    "$osproxy" help >"$work/usage"
    for name in audit check-live drain capacity version; do
        grep -q "^osproxy $name" "$work/usage"
        grep -q "^\.It Cm $name\$" "$page"
    done
    [ "$(wc -l <"$work/usage")" = 5 ]
    for name in check-live drain capacity; do
        "$osproxy" "$name" --help >"$work/help"
        awk -v name="$name" '/^\.It Cm / { mine = $3 == name } mine' "$page" >"$work/entry"
        grep -o -- '--[a-z]*' "$work/help" | sort -u | grep -vx -- --help >"$work/options"
        while read -r option; do
            grep -q "^\.It Fl -${option#--}\b" "$work/entry" \
                || { echo "osproxy.8, $name: no $option"; return 1; }
        done <"$work/options"
    done
}

test_its_commands_are_written_for_the_python_of_rhel_8() {
    stage
    /usr/bin/python3 - "$staged"/usr/share/mod_osproxy/*.py <<'PYTHON'
import ast
import sys

for name in sys.argv[1:]:
    with open(name, encoding="utf-8") as file:
        ast.parse(file.read(), name, feature_version=(3, 6))
PYTHON
    no_line -nE 'dataclass|capture_output|text=True|\.remove(pre|suf)fix|from __future__' \
        "$staged"/usr/share/mod_osproxy/*.py
}

# ---- all of them ---------------------------------------------------------------------------------

# shellcheck source=test/run_tests.sh
. test/run_tests.sh
status=0
run_tests install || status=$?
# Bound copies must go before the folder they lie in.
for folder in "${folders[@]}"; do
    ! mountpoint -q "$folder" || umount "$folder"
done
exit $status
