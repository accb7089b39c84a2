/*
 * Credentials of Windows authentication, see credentials.h.
 */
#include "credentials.h"

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

osp_credentials osp_credentials_read(osp_span value)
{
    osp_credentials found = {OSP_CREDENTIALS_NONE, {value.p, 0}};
    size_t start = 0, end;
    while (start < value.n && osp_span_is_blank(value.p[start])) {
        start++;
    }
    end = start;
    while (end < value.n && !osp_span_is_blank(value.p[end]) && value.p[end] != ',') {
        end++;
    }
    osp_span scheme = {value.p + start, end - start};
    if (!osp_credentials_bind(scheme)) {
        return found;
    }
    while (end < value.n && (osp_span_is_blank(value.p[end]) || value.p[end] == ',')) {
        end++;
    }
    found.scheme = scheme;
    found.kind = answers_challenge((osp_span){value.p + end, value.n - end})
                 ? OSP_CREDENTIALS_ANSWER : OSP_CREDENTIALS_FIRST;
    return found;
}
