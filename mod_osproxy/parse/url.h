/*
 * References in pages and style sheets (RFC 3986 section 5, read as browsers do), for the rule
 * referenced-content: where on the same host a reference leads, and to which module.
 */
#ifndef OSP_URL_H
#define OSP_URL_H

#include "span.h"

enum { OSP_URL_MODULE = 100 }; /* characters of a module's name at most */

/* Whether a text can be the name of a module, or of the platform's own such as server.api: letters,
 * digits, `_`, `.` and `-`, the first a letter, a digit or `_`; up to 100. */
bool osp_url_module_is(osp_span name);

/* The module that an absolute path (query allowed) names: its first segment that is not empty, a
 * span into path; empty when that is no name of a module, as with `/` or `/.well-known/`. */
osp_span osp_url_module(osp_span path);

/*
 * Resolves a reference found in a page of host (`name` or `name:port`) at base_path (absolute, its
 * query is not looked at but for an empty path) to an absolute path with its query, which stays on
 * that host: written to out with a terminator.
 *
 * - HTML's blanks around the reference are trimmed, the fragment is dropped, `\` in a path is `/`.
 * - Hosts are compared in any case and without port, http and https are one.
 * - Dot segments are removed, written as %2e as well. The result begins with exactly one `/`.
 * - Blanks, quotes, <, >, `, {, } and all that is not ASCII are percent-encoded; what is encoded
 *   already stays so. Resolving a result again gives the same.
 *
 * False, and out "", when it leads elsewhere or nowhere: another host, user information, another
 * scheme (data:, javascript:, mailto:), nothing but a fragment, a control character in it, or a
 * result that does not fit in size (> 0).
 */
bool osp_url_resolve(osp_span base_path, osp_span host, osp_span reference, char *out, size_t size);

#endif
