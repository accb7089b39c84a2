/* OutSystems' hash of a resource, see resource_hash.h. */
#include "resource_hash.h"

#include <openssl/err.h>
#include <openssl/evp.h>

enum { MD5_LENGTH = 16 };

/* MD5 proves nothing to anybody here, so that a FIPS policy need not forbid it. */
static bool begin_md5(EVP_MD_CTX *context)
{
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
    EVP_MD *md5 = EVP_MD_fetch(NULL, "MD5", "-fips");
    bool begun = md5 && EVP_DigestInit_ex(context, md5, NULL) == 1;
    EVP_MD_free(md5);
    return begun;
#else
    EVP_MD_CTX_set_flags(context, EVP_MD_CTX_FLAG_NON_FIPS_ALLOW);
    return EVP_DigestInit_ex(context, EVP_md5(), NULL) == 1;
#endif
}

/* OpenSSL's errors are per thread: one left behind would look like a failure of the next TLS
 * record that the thread handles. */
bool osp_resource_hash_begin(osp_resource_hash *hash)
{
    ERR_set_mark();
    hash->context = EVP_MD_CTX_new();
    if (hash->context && !begin_md5(hash->context)) {
        osp_resource_hash_free(hash);
    }
    ERR_pop_to_mark();
    return hash->context;
}

bool osp_resource_hash_update(osp_resource_hash *hash, osp_span bytes)
{
    if (!hash->context) {
        return false;
    }
    ERR_set_mark();
    if (bytes.n && EVP_DigestUpdate(hash->context, bytes.p, bytes.n) != 1) {
        osp_resource_hash_free(hash);
    }
    ERR_pop_to_mark();
    return hash->context;
}

void osp_resource_hash_write(const unsigned char md5[MD5_LENGTH],
                             char out[OSP_RESOURCE_HASH_LENGTH + 1])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+_";
    unsigned bits = 0, held = 0;
    size_t n = 0;
    for (size_t i = 0; i < MD5_LENGTH; i++) {
        bits = (bits << 8 | md5[i]) & 0xffff;
        for (held += 8; held >= 6; held -= 6) {
            out[n++] = digits[bits >> (held - 6) & 63];
        }
    }
    out[n++] = digits[bits << (6 - held) & 63];
    out[n] = '\0';
}

bool osp_resource_hash_end(osp_resource_hash *hash, char out[OSP_RESOURCE_HASH_LENGTH + 1])
{
    unsigned char md5[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    out[0] = '\0';
    if (!hash->context) {
        return false;
    }
    ERR_set_mark();
    bool done = EVP_DigestFinal_ex(hash->context, md5, &length) == 1 && length == MD5_LENGTH;
    ERR_pop_to_mark();
    osp_resource_hash_free(hash);
    if (done) {
        osp_resource_hash_write(md5, out);
    }
    return done;
}

void osp_resource_hash_free(osp_resource_hash *hash)
{
    EVP_MD_CTX_free(hash->context);
    hash->context = NULL;
}

static bool is_digit(char c)
{
    char low = osp_span_lower(c);
    return (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '_';
}

bool osp_resource_hash_is(osp_span text)
{
    size_t i = 0;
    if (text.n != OSP_RESOURCE_HASH_LENGTH) {
        return false;
    }
    while (i < text.n && is_digit(text.p[i])) {
        i++;
    }
    /* 128 bits are 21 digits of six and one of two, whose other four are zero */
    return i == text.n && memchr("AQgw", text.p[text.n - 1], 4);
}

/* Where the blanks that end at `end` begin. */
static size_t before_blanks(osp_span body, size_t end)
{
    while (end && osp_span_is_blank(body.p[end - 1])) {
        end--;
    }
    return end;
}

static bool ends_with(osp_span body, size_t end, const char *word)
{
    size_t n = strlen(word);
    return end >= n && memcmp(body.p + end - n, word, n) == 0;
}

/* Whether the quote at this position opens the value of a token. The blanks it walks back over lie
 * between it and the value before it, so that all calls together walk over each byte once. */
static bool is_value_of_token(osp_span body, size_t quote)
{
    size_t sign = before_blanks(body, quote);
    if (!sign) {
        return false;
    }
    size_t name = before_blanks(body, sign - 1);
    return (body.p[sign - 1] == '=' && ends_with(body, name, "OSManifestLoader.indexVersionToken"))
           || (body.p[sign - 1] == ':' && ends_with(body, name, "\"versionToken\""));
}

bool osp_resource_token_is(osp_span body, osp_span hash)
{
    if (!osp_resource_hash_is(hash)) {
        return false;
    }
    for (size_t pos = 0; body.n - pos >= OSP_RESOURCE_HASH_LENGTH + 2; pos++) {
        const char *quote = memchr(body.p + pos, '"', body.n - pos);
        if (!quote) {
            return false;
        }
        pos = (size_t)(quote - body.p);
        if (body.n - pos >= hash.n + 2 && quote[hash.n + 1] == '"'
            && memcmp(quote + 1, hash.p, hash.n) == 0 && is_value_of_token(body, pos)) {
            return true;
        }
    }
    return false;
}
