/*
 * Credentials of Windows authentication, see credentials.h.
 */
#include "credentials.h"

#include "challenge.h"

bool osp_credentials_bind(osp_span scheme)
{
    return osp_span_eq_nocase(scheme, "NTLM") || osp_span_eq_nocase(scheme, "Negotiate")
           || osp_span_eq_nocase(scheme, "Nego2") || osp_span_eq_nocase(scheme, "Kerberos");
}

static bool begins_with(osp_span token, const char *text)
{
    size_t n = strlen(text);
    return token.n >= n && memcmp(token.p, text, n) == 0;
}

/* In base64: "NTLMSSP\0" and the type 3; or the tag 0xa1 of a NegTokenResp, whose last two bits
 * are the first of the second character, here Q to Z and a to f. */
static bool answers_challenge(osp_span token)
{
    if (begins_with(token, "TlRMTVNTUAAD")) {
        return true;
    }
    return token.n > 1 && token.p[0] == 'o'
           && ((token.p[1] >= 'Q' && token.p[1] <= 'Z') || (token.p[1] >= 'a' && token.p[1] <= 'f'));
}

/* One element of the field: a scheme, and what follows it. */
static osp_credentials read_one(osp_span scheme, osp_span token)
{
    osp_credentials found = {OSP_CREDENTIALS_NONE, {scheme.p, 0}};
    if (osp_credentials_bind(scheme)) {
        found.kind = answers_challenge(token) ? OSP_CREDENTIALS_ANSWER : OSP_CREDENTIALS_FIRST;
        found.scheme = scheme;
    }
    return found;
}

static osp_credentials read_first(osp_span value)
{
    size_t start = 0, end, token;
    while (start < value.n && osp_span_is_blank(value.p[start])) {
        start++;
    }
    for (end = start; end < value.n && !osp_span_is_blank(value.p[end]) && value.p[end] != ','; end++) {
    }
    for (token = end; token < value.n && osp_span_is_blank(value.p[token]); token++) {
    }
    return read_one((osp_span){value.p + start, end - start},
                    (osp_span){value.p + token, value.n - token});
}

osp_credentials osp_credentials_read(osp_span value)
{
    osp_credentials most = {OSP_CREDENTIALS_NONE, {value.p, 0}};
    if (value.n == 0) {
        return most;
    }
    most = read_first(value);
    if (!memchr(value.p, ',', value.n)) {
        return most;
    }
    osp_challenge_iter it = osp_challenge_begin(value);
    osp_challenge element;
    while (osp_challenge_next(&it, &element)) {
        osp_credentials found = read_one(element.scheme, element.rest);
        most = found.kind > most.kind ? found : most;
    }
    return most;
}
