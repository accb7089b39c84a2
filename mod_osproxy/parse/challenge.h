/*
 * The challenges of one WWW-Authenticate field line (RFC 9110, sections 11.3, 11.6.1 and the list
 * rules of 5.6.1), for the rule negotiate: an iterator, and a copy without Negotiate.
 *
 * What a line means where the RFC leaves off:
 * - A comma outside quotes ends an element. An element that begins with a token opens a challenge,
 *   unless `=` follows the token (blanks allowed): that is a parameter of the challenge before it.
 *   Anything else belongs to the challenge before it as well.
 * - Elements in front of the first challenge are nobody's: no iterator shows them and no copy loses
 *   them. One exception: `Negotiate =` there is a challenge, because clients that end the scheme at
 *   the first blank would take it for one.
 * - A quote opens wherever it stands. One that never closes takes the rest of the line with it.
 * - A scheme ends at a blank, a comma or the end: `Negotiate/1` and `Negotiate"x"` are other
 *   schemes. Blanks are what lenient clients skip: space, tab, CR, LF, VT, FF.
 */
#ifndef OSP_CHALLENGE_H
#define OSP_CHALLENGE_H

#include "span.h"

/* Spans into the value the iterator was begun with. */
typedef struct osp_challenge {
    osp_span text; /* the challenge as written, without the commas and blanks around it */
    osp_span scheme;
    osp_span rest; /* token68 or parameters as written, may be empty */
} osp_challenge;

typedef struct osp_challenge_iter {
    osp_span value;
    size_t pos;
} osp_challenge_iter;

/* Takes one field value, which must outlive the iterator and what it yields. */
osp_challenge_iter osp_challenge_begin(osp_span value);

/* Sets out to the next challenge; false at the end, out is then left alone. */
bool osp_challenge_next(osp_challenge_iter *it, osp_challenge *out);

/* Whether a scheme makes the browser try Kerberos: Negotiate, Nego2 or Kerberos, in any case. */
bool osp_challenge_is_negotiate(osp_span scheme);

typedef struct osp_challenge_removed {
    unsigned removed, kept; /* challenges */
    size_t length;          /* bytes written to out; 0 with removed > 0: nothing is left */
} osp_challenge_removed;

/*
 * Copies value without its Negotiate challenges and their parameters to out: at least value.n
 * bytes, apart from value. All that stays is byte for byte as written, also the separator between
 * two neighbours; ", " stands where something was taken out. With removed == 0 out is not touched
 * and length is 0: the line stays as it is. Time is linear in value.n whatever the bytes.
 */
osp_challenge_removed osp_challenge_remove_negotiate(osp_span value, char *out);

#endif
