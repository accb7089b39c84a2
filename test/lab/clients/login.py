"""Logins: what a client writes into Authorization, message by message.

A login serves one connection. `first()` is for the first request, `answer(401)` for its
repetition; None means that there is nothing (more) to say.
"""
import base64

import gssapi

from .. import ntlm
from ..backend import DOMAIN

SPNEGO = gssapi.OID.from_int_seq("1.3.6.1.5.5.2")


def challenge(message, scheme):
    """The data of a challenge of this scheme in a 401: b"" when it is bare, None without one."""
    for value in message.all("WWW-Authenticate"):
        name, _, data = value.partition(" ")
        if name.lower() == scheme.lower():
            return base64.b64decode(data)
    return None


class NtlmLogin:
    """Raw NTLM. eager: Type-1 goes with the first request, as curl does; else after the 401."""

    def __init__(self, lab, user, *, eager=True, password=None):
        self.user = user
        self.password = password or lab.password(user)
        self.eager = eager
        self.sent = 0

    def first(self):
        return self._hello() if self.eager else None

    def answer(self, message):
        data = challenge(message, "NTLM")
        if data is None or self.sent == 3:
            return None
        if self.sent == 0:
            return self._hello()
        if not data:
            return None         # the back end does not know of our Type-1
        self.sent = 3
        return "NTLM " + ntlm.encode(ntlm.authenticate(data, DOMAIN, self.user, self.password))

    def again(self):
        """For a later request on a connection that is signed in."""
        return None

    def _hello(self):
        self.sent = 1
        return "NTLM " + ntlm.encode(ntlm.negotiate())


class GssLogin:
    """Negotiate with a mechanism's tokens: Kerberos, or SPNEGO that carries NTLM."""

    def __init__(self, lab, user, credentials, *, eager):
        self.lab, self.user, self.eager = lab, user, eager
        self._credentials = credentials
        self._context = None

    def first(self):
        return self._token() if self.eager else None

    def answer(self, message):
        data = challenge(message, "Negotiate")
        if data is None or (self._context and not data):
            return None
        return self._token(data or None)

    def again(self):
        """A fresh token, as clients send that authenticate every request."""
        self._context = None
        return self._token()

    def _token(self, data=None):
        if not self._context:
            target = gssapi.Name(f"HTTP@{self.lab.host}", gssapi.NameType.hostbased_service)
            self._context = gssapi.SecurityContext(name=target, creds=self._credentials,
                                                   mech=SPNEGO, usage="initiate")
        elif self._context.complete:
            return None
        try:
            token = self._context.step(data)
        except gssapi.exceptions.GSSError:
            return None             # somebody else's challenge
        return "Negotiate " + base64.b64encode(token).decode() if token else None


def kerberos(lab, user, eager):
    credentials = gssapi.Credentials(usage="initiate",
                                     store={"ccache": f"FILE:{lab.ticket(user)}"})
    return GssLogin(lab, user, credentials, eager=eager)


def spnego_ntlm(lab, user, eager):
    name = gssapi.Name(f"{DOMAIN}\\{user}", gssapi.NameType.user)
    acquired = gssapi.raw.acquire_cred_with_password(
        name, lab.password(user).encode(), mechs=[SPNEGO], usage="initiate")
    login = GssLogin(lab, user, gssapi.Credentials(acquired.creds), eager=eager)
    login.again = lambda: None      # several messages: not within one request
    return login


# word: (maker, when the first message goes: True with the first request, None either way)
SCHEMES = {
    "ntlm": (lambda lab, user, eager: NtlmLogin(lab, user, eager=eager), None),
    "krb-after-401": (kerberos, False),
    "krb-upfront": (kerberos, True),
    "spnego-ntlm": (spnego_ntlm, None),
}


def make_login(scheme, lab, user, random, eager=None):
    """eager: the first message goes with the first request, whatever the scheme says."""
    maker, usual = SCHEMES[scheme]
    eager = usual if eager is None else eager
    return maker(lab, user, random.random() < 0.5 if eager is None else eager)
