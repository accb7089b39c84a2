/*
 * The raw path of a request-target (RFC 9112, section 3.2.1), for the rule path-unchanged: what
 * IIS will make of bytes that httpd reads differently. Nothing here decodes into a buffer; one
 * level of percent-encoding counts, as the back end decodes once: %252e is no dot.
 *
 * IIS takes the backslash, %2f and %5c for the separator `/`; httpd does not. IIS also reads
 * %uNNNN, which httpd refuses wherever it decodes a path itself.
 */
#ifndef OSP_PATH_H
#define OSP_PATH_H

#include "span.h"

enum osp_path_dots {
    OSP_PATH_DOTS_NONE,
    OSP_PATH_DOTS_PLAIN, /* httpd sees these too and resolves them */
    OSP_PATH_DOTS_HIDDEN /* only IIS sees these: access rules of httpd ran on another path */
};

/*
 * True if a path without query has no %, no backslash and no dot that begins a segment, as nearly every
 * one; it reads eight bytes at once. False for others, and for those too short to be worth the effort.
 */
bool osp_path_is_plain(osp_span path);

/*
 * Looks for a segment `.` or `..` in a path without query, its dots written plainly or as %2e.
 * PLAIN: both its ends are `/` or an end of the path. HIDDEN: one of its ends is a separator that
 * only IIS knows, or one of its bytes is written %uNNNN; HIDDEN wins. A dot segment with path
 * parameters (`..;x`) counts like one without.
 */
enum osp_path_dots osp_path_dots(osp_span path);

/*
 * Whether two paths without query name the same resource for a back end that decodes once and
 * merges slashes as IIS does: %2f, \ and %5c are slashes, a % without two hex digits is itself, case
 * counts. Dot segments are compared as they stand.
 */
bool osp_path_same(osp_span a, osp_span b);

/*
 * The first segment that is not empty, as written (still encoded), a span into path: the module.
 * It ends at a separator (IIS's included), `?`, `;` or the end. Empty if there is none.
 */
osp_span osp_path_module(osp_span path);

/* The length of a request-target's path: up to the first `?`, or all of it. */
size_t osp_path_length(osp_span target);

#endif
