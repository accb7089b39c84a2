#!/usr/bin/env bash
# overlay.sh: runs a command as root in a copy of this machine: what it writes lands in memory and is gone
# afterwards, and its network (loopback only) and processes are its own. The project is there read-only.
# Usage: test/packages/overlay.sh <command>...
set -euo pipefail

top=$(realpath "$(dirname "$0")/../..")
if [ -z "${OSP_PRIVATE:-}" ]; then
    # shellcheck source=test/private.sh
    . "$top/test/private.sh"
    become_private --net --pid --fork --kill-child -- "$0" "$@"
    exit
fi

work=$OSP_PRIVATE
mount -t tmpfs osproxy-test "$work"
mkdir "$work/upper" "$work/work" "$work/root"
root=$work/root
mount -t overlay osproxy-test -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=755 osproxy-test "$root/run"
mount -t tmpfs -o mode=1777 osproxy-test "$root/tmp"
mkdir -p "$root/run/lock" "$root$top"
mount --bind "$top" "$root$top"
mount -o remount,bind,ro "$root$top"
ip link set lo up
unset OSP_PRIVATE
status=0
env -u TMPDIR chroot "$root" "$@" || status=$?
exit $status
