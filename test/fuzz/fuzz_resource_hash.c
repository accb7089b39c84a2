/*
 * Any bytes as a body, and its first 22 as a hash: what resource_hash.h promises. Pieces give the
 * hash of the whole, a body that names a token is found to, and a changed byte is not overlooked.
 */
#include "fuzz.h"

#include "parse/resource_hash.h"

static void hash_of(osp_span body, size_t cut, char *out)
{
    osp_resource_hash hash;
    PROMISE(osp_resource_hash_begin(&hash));
    PROMISE(osp_resource_hash_update(&hash, (osp_span){body.p, cut}));
    PROMISE(osp_resource_hash_update(&hash, (osp_span){body.p + cut, body.n - cut}));
    PROMISE(osp_resource_hash_end(&hash, out));
    PROMISE(!hash.context);
}

/* The body with `"versionToken":"<hash>"` behind it names that token. */
static void name_token(osp_span body, osp_span hash)
{
    size_t n = body.n;
    char *text = malloc(n + 64);
    PROMISE(text);
    memcpy(text, body.p, n);
    n += (size_t)snprintf(text + n, 64, "\"versionToken\": \"%.*s\"", (int)hash.n, hash.p);
    PROMISE(osp_resource_token_is((osp_span){text, n}, hash));
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    osp_span body = {(const char *)data, size};
    size_t length = size < OSP_RESOURCE_HASH_LENGTH ? size : OSP_RESOURCE_HASH_LENGTH;
    osp_span hash = {body.p, length}, rest = {body.p + length, size - length};
    char whole[OSP_RESOURCE_HASH_LENGTH + 1], pieces[OSP_RESOURCE_HASH_LENGTH + 1];

    hash_of(body, 0, whole);
    hash_of(body, size / 2, pieces);
    PROMISE(strcmp(whole, pieces) == 0);
    PROMISE(osp_resource_hash_is(osp_span_of(whole)));
    name_token(body, osp_span_of(whole));

    if (osp_resource_hash_is(hash)) {
        name_token(rest, hash);
    }
    else {
        PROMISE(!osp_resource_token_is(rest, hash));
    }
    return 0;
}
