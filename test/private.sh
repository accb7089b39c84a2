# private.sh: for tests in bash that need namespaces of their own. Sourced.
# shellcheck shell=bash
#
# become_private <option of unshare>... -- <command>...
# runs the command with mounts (and what the options name besides) of its own, and with OSP_PRIVATE, an
# empty folder to mount things in, which is gone afterwards. Needs root.
become_private() {
    [ "$(id -u)" = 0 ] || { echo "needs root, for a mount namespace"; return 1; }
    local options=() way=private status=0
    while [ "$1" != -- ]; do options+=("$1"); shift; done
    shift
    OSP_PRIVATE=$(mktemp -d)
    export OSP_PRIVATE
    trap 'umount "$OSP_PRIVATE" 2>/dev/null || true; rmdir "$OSP_PRIVATE"' EXIT
    # In a chroot the root folder is no mount point that could be made private. Mounts may then be
    # private all the same: a first, harmless one tells whether the outside sees it.
    if ! unshare --mount --propagation $way true 2>/dev/null; then
        way=unchanged
        # shellcheck disable=SC2016
        unshare --mount --propagation $way sh -c 'mount -t tmpfs osproxy-test "$OSP_PRIVATE" \
            && ! grep -qF " $OSP_PRIVATE " "/proc/$PPID/mountinfo"' || {
            echo "needs mounts of its own: CAP_SYS_ADMIN, and in a chroot one whose mounts are private"
            return 1
        }
    fi
    unshare --mount --propagation $way "${options[@]}" "$@" || status=$?
    return $status
}
