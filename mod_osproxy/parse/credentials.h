/*
 * Credentials of Windows authentication in an Authorization field (RFC 9110 section 11.4, RFC 4559,
 * MS-NLMP section 2.2), for the rule pinned-auth: whether they authenticate the connection rather
 * than the request, and whether they belong to a handshake under way. Nothing is decoded: the first
 * bytes of the token68 tell.
 */
#ifndef OSP_CREDENTIALS_H
#define OSP_CREDENTIALS_H

#include "span.h"

/* In rising order of what a proxy has to take care of. */
enum osp_credentials_kind {
    OSP_CREDENTIALS_NONE,  /* none, or of a scheme that authenticates each request */
    OSP_CREDENTIALS_FIRST, /* may begin a sign-in on any connection: NTLM Type-1, a Kerberos ticket */
    OSP_CREDENTIALS_ANSWER /* answers a challenge, on the connection it came by: NTLM Type-3, a
                              NegTokenResp of SPNEGO (RFC 4178 section 4.2.2) */
};

typedef struct osp_credentials {
    enum osp_credentials_kind kind;
    osp_span scheme; /* as written, a span into the value; empty with NONE */
} osp_credentials;

/* Reads a field value: the most demanding of its elements, for httpd joins several lines with commas
 * and a back end may look at any of them. It is split as a list of challenges is (challenge.h). A
 * token that is damaged, or missing, counts as FIRST. */
osp_credentials osp_credentials_read(osp_span value);

/* Whether a scheme authenticates the connection: NTLM, Negotiate, Nego2, Kerberos, in any case. */
bool osp_credentials_bind(osp_span scheme);

#endif
