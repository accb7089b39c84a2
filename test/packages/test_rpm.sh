#!/usr/bin/env bash
# test_rpm.sh: the RPM: built from the spec file, looked over by rpmlint, installed, upgraded and erased by
# rpm in a folder laid out as RHEL's httpd is, whose configuration this machine's httpd reads.
# Usage: test/packages/test_rpm.sh
set -euo pipefail

cd "$(dirname "$0")/../.."
out=build/out/packages-test
if [ "${1:-}" != inside ]; then
    rm -rf "$out/packages/rpm" "$out"/packages/*.rpm
    # what the compiler makes of the sources is asked elsewhere; here it is to be quick
    OUT=$out build/package.sh rpm --noclean --define 'optflags -g -O0' --buildroot "$PWD/$out/packages/rpm/root"
    # The next release with settings that differ: packed again from the same files.
    echo '# of the next release' >>"$out/packages/rpm/root/etc/httpd/conf.d/osproxy.conf"
    OUT=$out build/package.sh rpm --noclean --short-circuit --define 'osproxy_release 2' \
        --buildroot "$PWD/$out/packages/rpm/root"
    exec test/packages/overlay.sh "$PWD/test/packages/test_rpm.sh" inside
fi

# ---- inside: a copy of this machine --------------------------------------------------------------

work=/tmp/work
mkdir -p "$work"
root=$work/root
rpm=$(echo "$PWD/$out"/packages/mod_osproxy-*-1.x86_64.rpm)
next=$(echo "$PWD/$out"/packages/mod_osproxy-*-2.x86_64.rpm)
log() { sed 's/^/    /' "$1"; }
same() { diff "$1" "$2" || { echo "differs: $3"; return 1; }; }
# What it needs has other names here; the folder has nothing but what it brings.
in_root() { rpm --root "$root" "$@" --nodeps >"$work/rpm" 2>&1 || { log "$work/rpm"; return 1; }; }

# The folders of httpd and its own configuration, with this machine's modules.
fresh_root() {
    local name
    rm -rf "$root"
    mkdir -p "$root"/etc/httpd/{conf,conf.d,conf.modules.d,logs} "$root/usr/lib64/httpd/modules" \
        "$root"/usr/{sbin,share/man/man8,share/doc,share/licenses} "$root/var/lib/rpm"
    cp "$(apxs -q LIBEXECDIR)"/mod_{mpm_event,authz_core,authz_host,proxy,proxy_http}.so \
        "$root/usr/lib64/httpd/modules/"
    ln -s ../../usr/lib64/httpd/modules "$root/etc/httpd/modules"
    echo 'LoadModule mpm_event_module modules/mod_mpm_event.so' >"$root/etc/httpd/conf.modules.d/00-mpm.conf"
    for name in authz_core authz_host; do
        echo "LoadModule ${name}_module modules/mod_$name.so"
    done >"$root/etc/httpd/conf.modules.d/00-base.conf"
    for name in proxy proxy_http; do
        echo "LoadModule ${name}_module modules/mod_$name.so"
    done >"$root/etc/httpd/conf.modules.d/00-proxy.conf"
    cat >"$root/etc/httpd/conf/httpd.conf" <<CONF
ServerRoot "$root/etc/httpd"
ServerName rhel.test
Listen 127.0.0.1:80
Include conf.modules.d/*.conf
IncludeOptional conf.d/*.conf
CONF
    rpm --root "$root" --initdb
    in_root -i "$rpm"
}
httpd() { "$(apxs -q SBINDIR)/$(apxs -q PROGNAME)" -f "$root/etc/httpd/conf/httpd.conf" "$@" 2>&1; }
picture() { find "$root" -path "$root/var/lib/rpm" -prune -o -printf '%y %m %P %l\n' | sort; }

test_rpmlint_has_nothing_to_say() {
    rpmlint --config build/rpm/rpmlint.toml "$rpm" "$out/packages/rpm/mod_osproxy.spec" >"$work/rpmlint" 2>&1 \
        || { log "$work/rpmlint"; return 1; }
    grep -q ' 0 errors, 0 warnings' "$work/rpmlint" || { log "$work/rpmlint"; return 1; }
}

test_its_files_lie_where_rhel_has_them() {
    cat >"$work/wanted" <<'END'
/etc/httpd/conf.d/osproxy.conf
/etc/httpd/conf.modules.d/99-osproxy.conf
/usr/lib64/httpd/modules/mod_osproxy.so
/usr/sbin/osproxy
END
    rpm -qpl "$rpm" | grep -vE '^/usr/share/(doc|licenses|man|mod_osproxy)(/|$)|^/usr/lib/.build-id' >"$work/files"
    same "$work/wanted" "$work/files" "the files outside /usr/share"
    rpm -qpl "$rpm" >"$work/files"
    grep -q '^/usr/share/man/man8/osproxy\.8' "$work/files"
    grep -qx '/usr/share/licenses/mod_osproxy[^/]*/LICENSE' "$work/files"
    grep -qx '/usr/share/doc/mod_osproxy/conf.d/recipes/https-offload.conf' "$work/files"
    rpm -qp --qf '[%{FILEUSERNAME}:%{FILEGROUPNAME}\n]' "$rpm" >"$work/owners"
    no_line -vx root:root "$work/owners"
}

test_its_settings_are_configuration_that_an_upgrade_keeps() {
    rpm -qp --qf '[%{FILEFLAGS:fflags} %{FILENAMES}\n]' "$rpm" | grep /etc/ >"$work/flags"
    no_line -v '^cn ' "$work/flags"
    [ "$(wc -l <"$work/flags")" = 2 ]
}

test_it_wants_the_httpd_that_it_was_built_for_and_runs_no_scripts() {
    local magic
    magic=$(sed -n 's/^#define MODULE_MAGIC_NUMBER_MAJOR \([0-9]*\).*/\1/p' "$(apxs -q INCLUDEDIR)/ap_mmn.h")
    rpm -qp --requires "$rpm" >"$work/requires"
    grep -qx "httpd-mmn = ${magic}$(uname -m | tr -d _-)" "$work/requires" || { log "$work/requires"; return 1; }
    grep -qx '/usr/bin/python3' "$work/requires"
    grep -qx 'iproute' "$work/requires"
    grep -qx 'libcurl.so.4()(64bit)' "$work/requires"
    [ -z "$(rpm -qp --scripts --triggers "$rpm")" ]
}

test_httpd_loads_it_after_mod_proxy_and_takes_its_settings() {
    fresh_root
    httpd -t >"$work/output" || { log "$work/output"; return 1; }
    no_line -E '(AH[0-9]{5}|OSP[0-9]{4}): ' "$work/output"
    httpd -M >"$work/output"
    grep -q ' osproxy_module (shared)' "$work/output"
    httpd -t -D DUMP_OSPROXY_JSON >"$work/output"
    grep -q '"osproxy":"'"$(build/package.sh version)"'"' "$work/output"
}

test_its_command_runs_where_it_was_installed() {
    fresh_root
    "$root/usr/sbin/osproxy" capacity --clients 2000 --memory 4096 >"$work/output"
    grep -q '^<IfModule mpm_event_module>' "$work/output"
    [ -x "$root/usr/share/mod_osproxy/drain.py" ]
}

test_an_upgrade_replaces_settings_that_nobody_edited() {
    fresh_root
    in_root -U "$next"
    grep -q 'of the next release' "$root/etc/httpd/conf.d/osproxy.conf"
}

test_an_upgrade_keeps_settings_that_were_edited() {
    fresh_root
    sed -i 's/OSProxyEngine Report/OSProxyEngine On/' "$root/etc/httpd/conf.d/osproxy.conf"
    in_root -U "$next"
    grep -q '^    OSProxyEngine On$' "$root/etc/httpd/conf.d/osproxy.conf"
    grep -q 'of the next release' "$root/etc/httpd/conf.d/osproxy.conf.rpmnew"
}

test_erasing_it_leaves_nothing_but_edited_settings() {
    fresh_root
    in_root -e mod_osproxy
    picture >"$work/before"
    in_root -i "$rpm"
    in_root -e mod_osproxy
    picture >"$work/after"
    same "$work/before" "$work/after" "the folder after an installation more"
    no_line osproxy "$work/after"
    httpd -t >"$work/output" || { log "$work/output"; return 1; }
    in_root -i "$rpm"
    echo '# mine' >>"$root/etc/httpd/conf.d/osproxy.conf"
    in_root -e mod_osproxy
    grep -q '^# mine' "$root/etc/httpd/conf.d/osproxy.conf.rpmsave"
}

# shellcheck source=test/run_tests.sh
. test/run_tests.sh
run_tests rpm
