/*
 * The hash that OutSystems puts behind `?` in the address of a resource of a Reactive or Mobile
 * module, for the integrity of those resources: base64 of the MD5 of the decoded body, `/` written
 * `_`, `+` kept, without padding. Apps refuse a resource whose body has another one, so that a
 * proxy which changes a byte breaks them. Some texts (index.html, moduleinfo) are not hashed: they
 * name their token instead.
 */
#ifndef OSP_RESOURCE_HASH_H
#define OSP_RESOURCE_HASH_H

#include "span.h"

enum { OSP_RESOURCE_HASH_LENGTH = 22 };

struct evp_md_ctx_st;

/* A hash under way; all zero is one that has not begun. */
typedef struct osp_resource_hash {
    struct evp_md_ctx_st *context; /* NULL: not begun, ended, or failed */
} osp_resource_hash;

/* Begins; false when OpenSSL has no MD5 (a FIPS policy) or no memory. What it holds is given back
 * by osp_resource_hash_end or osp_resource_hash_free. No error is left in OpenSSL's queue. */
bool osp_resource_hash_begin(osp_resource_hash *hash);

/* The next bytes of the body; false when the hash has failed, then or before. */
bool osp_resource_hash_update(osp_resource_hash *hash, osp_span bytes);

/* Writes the 22 characters and a terminator, and frees; false (and "") when the hash has failed. */
bool osp_resource_hash_end(osp_resource_hash *hash, char out[OSP_RESOURCE_HASH_LENGTH + 1]);

/* Writes the hash of a body whose MD5 is known, with a terminator. */
void osp_resource_hash_write(const unsigned char md5[16], char out[OSP_RESOURCE_HASH_LENGTH + 1]);

/* Gives up a hash, in whatever state; harmless when there is nothing to free. */
void osp_resource_hash_free(osp_resource_hash *hash);

/* Whether a text is written as such a hash is: 22 characters, the last of which ends in four zero
 * bits. */
bool osp_resource_hash_is(osp_span text);

/*
 * Whether a body that is not hashed names this hash as its token, as index.html does with
 * `OSManifestLoader.indexVersionToken = "<hash>"` and moduleinfo with `"versionToken":"<hash>"`;
 * blanks may stand around = and :. False for a hash that is not well-formed.
 */
bool osp_resource_token_is(osp_span body, osp_span hash);

#endif
