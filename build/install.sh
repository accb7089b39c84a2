#!/usr/bin/env bash
# install.sh: installs and enables the module, and undoes exactly that.
# Usage: build/install.sh install|uninstall, from the Makefile; APXS, MODULE and DESTDIR are read
# from the environment. With DESTDIR files are only put in place: nothing is enabled or tested.
#
# What was installed is written down in conf.d/.osproxy.installed: "file <sha256> <path>",
# "folder <path>", "module <name>" (enabled along with ours). uninstall reads it.
set -euo pipefail

cd "$(dirname "$0")/.."
say() { echo "${0##*/}: $*"; }
die() { say "$@" >&2; exit 1; }

action=${1:-}
destdir=${DESTDIR:-}
apxs=${APXS:-$(command -v apxs || command -v apxs2 || true)}
[ -n "$apxs" ] || die "apxs was not found; 'build/setup.sh build' installs it"

sysconf=$("$apxs" -q SYSCONFDIR)
libexec=$("$apxs" -q LIBEXECDIR)
if [ -d "$destdir$sysconf/mods-available" ] || [ -d "$sysconf/mods-available" ]; then
    layout=debian
    server_root=$sysconf
    # mods-enabled/*.load is read in alphabetical order: osproxy.load would come before proxy.load.
    load_file=$sysconf/mods-available/zz_osproxy.load
elif [ -d "$destdir${sysconf%/*}/conf.modules.d" ] || [ -d "${sysconf%/*}/conf.modules.d" ]; then
    layout=rhel
    server_root=${sysconf%/*}
    load_file=$server_root/conf.modules.d/99-osproxy.conf # read after 00-proxy.conf
else
    die "neither $sysconf/mods-available (Debian) nor ${sysconf%/*}/conf.modules.d (RHEL) exists." \
        "By hand: copy build/out/mod_osproxy.so to $libexec, conf.d/osproxy.conf to conf.d/ below" \
        "ServerRoot, and write 'LoadModule osproxy_module $libexec/mod_osproxy.so' below the" \
        "LoadModule lines of mod_proxy"
fi
library=$libexec/mod_osproxy.so
load_path=$library
[ $layout = debian ] || load_path=modules/mod_osproxy.so # as RHEL's own load files have it
conf_dir=$server_root/conf.d
conf_file=$conf_dir/osproxy.conf
record=$destdir$conf_dir/.osproxy.installed

sum() { sha256sum "$1" | cut -d' ' -f1; }
recorded_sum() { # <path>: its checksum as installed, nothing when it is not on record
    [ ! -f "$record" ] || awk -v path="$1" '$1 == "file" && $3 == path { print $2 }' "$record"
}
on_system() { [ -z "$destdir" ]; }

control=$(command -v apachectl || command -v apache2ctl || true)
configtest() { "$control" configtest 2>&1; }

# ---- install -------------------------------------------------------------------------------------

make_folder() { # <path>: remembered when it is new
    [ -d "$destdir$1" ] && return
    make_folder "${1%/*}"
    mkdir "$destdir$1"
    new_folders=("$1" "${new_folders[@]}")
}

put_library() {
    make_folder "$libexec"
    if on_system; then
        "$apxs" -i -n osproxy "$module" >"$scratch" 2>&1 || { cat "$scratch" >&2; exit 1; }
    else
        install -m 644 "$module" "$destdir$library"
    fi
}

put_load_file() {
    make_folder "${load_file%/*}"
    {
        [ $layout != debian ] || echo '# Depends: proxy proxy_http'
        echo "# This file's name makes it sort after mod_proxy's: the module has to be loaded later."
        echo "LoadModule osproxy_module $load_path"
    } >"$destdir$load_file"
}

# A file that somebody changed since it was installed is theirs: ours goes beside it.
put_conf_file() {
    local target=$destdir$conf_file
    make_folder "$conf_dir"
    if [ -f "$target" ] && ! cmp -s conf.d/osproxy.conf "$target" \
        && [ "$(sum "$target")" != "$(recorded_sum "$conf_file")" ]; then
        install -m 644 conf.d/osproxy.conf "$target.new"
        say "$conf_file was changed here and stays; this version's is $conf_file.new"
    else
        install -m 644 conf.d/osproxy.conf "$target"
        rm -f "$target.new"
    fi
}

# What `apxs -i -a`, run by hand, leaves on Debian: a load file that comes too early.
drop_early_load_file() {
    local early=$sysconf/mods-available/osproxy.load
    if [ -f "$early" ] && grep -q '^LoadModule osproxy_module' "$early"; then
        a2dismod -q -p osproxy >/dev/null 2>&1 || true
        rm -f "$early" "$early.bak~" "$sysconf/mods-enabled/osproxy.load"
        say "removed $early: it loads the module before mod_proxy"
    fi
}

enabled_modules() { find "$sysconf/mods-enabled" -name '*.load' -printf '%f\n' | sort; }

enable() {
    local before
    drop_early_load_file
    before=$(enabled_modules)
    a2enmod -q zz_osproxy >"$scratch" 2>&1 || { cat "$scratch" >&2; exit 1; }
    mapfile -t new_modules < <(comm -13 <(echo "$before") <(enabled_modules) \
        | sed 's/\.load$//' | grep -vx zz_osproxy)
}

write_record() {
    local path
    {
        for path in "$library" "$load_file"; do
            echo "file $(sum "$destdir$path") $path"
        done
        echo "file $(sum conf.d/osproxy.conf) $conf_file"
        printf 'module %s\n' "${new_modules[@]}" | grep -v ' $' || true
        printf 'folder %s\n' "${new_folders[@]}" | grep -v ' $' || true
        # an earlier installation's, when this one comes on top
        [ ! -f "$record" ] || grep -E '^(module|folder) ' "$record" || true
    } >"$scratch"
    install -m 644 "$scratch" "$record"
}

do_install() {
    module=${MODULE:-build/out/mod_osproxy.so}
    [ -f "$module" ] || die "$module is missing; 'make' builds it"
    [ -f conf.d/osproxy.conf ] || die "conf.d/osproxy.conf is missing"
    on_system && [ "$(id -u)" != 0 ] && die "installing into $libexec needs root: sudo make install"
    new_folders=()
    new_modules=()
    put_library
    put_load_file
    put_conf_file
    if on_system && [ $layout = debian ]; then
        enable
    fi
    write_record
    report_install
}

report_install() {
    say "installed $destdir$library"
    say "          $destdir$load_file"
    say "          $destdir$conf_file"
    [ ${#new_modules[@]} = 0 ] || say "enabled ${new_modules[*]} and osproxy"
    on_system || return 0
    if ! configtest >"$scratch"; then
        sed 's/^/    /' "$scratch"
        say "the configuration is not in order (above); the server keeps running until a restart"
    fi
    [ $layout = rhel ] || say "next: write 'Include conf.d/osproxy.conf' into ${sysconf}/apache2.conf" \
        "or a virtual host,"
    say "then: apachectl configtest && apachectl graceful"
}

# ---- uninstall -----------------------------------------------------------------------------------

# Only when nobody needs it by now: the configuration has to hold without it.
disable_along() { # <module>...
    local name
    for name; do
        [ -e "$sysconf/mods-enabled/$name.load" ] || continue
        if ! a2dismod -q -p "$name" >"$scratch" 2>&1; then
            say "$name stays enabled: $(tr '\n' ' ' <"$scratch")"
        elif [ -n "$in_order" ] && ! configtest >/dev/null; then
            a2enmod -q "$name" >/dev/null 2>&1
            say "$name stays enabled: the configuration uses it"
        fi
    done
}

remove_file() { # <sha256 as installed> <path>
    local target=$destdir$2
    [ -e "$target" ] || return 0
    if [ "$2" = "$conf_file" ] && [ "$(sum "$target")" != "$1" ]; then
        mv "$target" "$target.saved"
        say "$2 was changed here: kept as $2.saved"
    else
        rm -f "$target"
    fi
    rm -f "$target.new"
}

# The configuration's lines that need the module, which is gone.
name_leftovers() {
    grep -rnsE '^[[:space:]]*(OSProxy|Include(Optional)?[[:space:]].*osproxy\.conf|Require[[:space:]]+(not[[:space:]]+)?osproxy-|SetHandler[[:space:]]+"?osproxy-)' \
        "$server_root" --include='*.conf' --include='*.load' || true
}

do_uninstall() {
    [ -f "$record" ] || die "nothing to undo: $record, where 'make install' writes down what it" \
        "did, does not exist"
    on_system && [ "$(id -u)" != 0 ] && die "removing from $libexec needs root: sudo make uninstall"
    local lines
    mapfile -t lines <"$record"
    in_order=
    if on_system && [ $layout = debian ]; then
        a2dismod -q -p zz_osproxy >"$scratch" 2>&1 || { cat "$scratch" >&2; exit 1; }
        ! configtest >/dev/null || in_order=1
        # dependants before what they depend on: proxy_http, then proxy
        mapfile -t modules < <(printf '%s\n' "${lines[@]}" | sed -n 's/^module //p' | sort -ru)
        disable_along "${modules[@]}"
    fi
    local kind first second
    while read -r kind first second; do
        [ "$kind" != file ] || remove_file "$first" "$second"
    done < <(printf '%s\n' "${lines[@]}")
    rm -f "$record"
    while read -r kind first; do
        [ "$kind" != folder ] || rmdir --ignore-fail-on-non-empty "$destdir$first" 2>/dev/null || true
    done < <(printf '%s\n' "${lines[@]}" | sort -ru)
    say "removed; apachectl graceful makes a running server forget the module"
    on_system || return 0
    name_leftovers >"$scratch"
    if [ -s "$scratch" ]; then
        say "these lines need the module and stop the next start; remove them:"
        sed 's/^/    /' "$scratch"
    fi
}

scratch=$(mktemp)
trap 'rm -f "$scratch"' EXIT
case $action in
    install) do_install ;;
    uninstall) do_uninstall ;;
    *) die "usage: ${0##*/} install|uninstall" ;;
esac
