"""Sign-ins message by message on a connection of osptest, for tests that watch every answer."""
import base64
import json

from .. import ntlm
from ..backend import DOMAIN
from ..world import HOST
from .client import served_as
from .login import challenge

NOBODY = ""


def hello():
    """Authorization with a Type-1 message."""
    return "NTLM " + ntlm.encode(ntlm.negotiate())


def final(answer, user, password=None):
    """Authorization with the Type-3 message for the challenge in an answer."""
    data = challenge(answer, "NTLM")
    assert data, f"no NTLM challenge in: {answer.raw}"
    return "NTLM " + ntlm.encode(ntlm.authenticate(data, DOMAIN, user, password or user + "pw"))


def token(user):
    """Authorization that signs in at once at the scripted back end, as Kerberos does."""
    return "Negotiate " + base64.b64encode(b"user " + user.encode()).decode()


def ask(connection, target="/WinAuth/", authorization=None, *, host=HOST, headers=(), **request):
    if authorization:
        headers = [*headers, ("Authorization", authorization)]
    return connection.request(target, host=host, headers=headers, **request)


def sign_in(connection, user, target="/WinAuth/", *, host=HOST, **request):
    """The whole NTLM handshake; the last answer. The Type-1 message goes without the body."""
    first = ask(connection, target, hello(), host=host)
    assert first.status == 401, first.raw
    return ask(connection, target, final(first, user), host=host, **request)


def signed_in(connection, user, target="/WinAuth/", **request):
    """sign_in() that must succeed."""
    answer = sign_in(connection, user, target, **request)
    assert who(answer) == user, answer.raw
    return answer


def who(answer):
    """Whom a page was made for; the status when it is no page."""
    return served_as(answer) if answer.status == 200 else answer.status


def connection_of(answer):
    """(server, port): which connection of which back end a page came over."""
    return tuple(answer.get("X-Lab-Connection").split(":"))


def pages(text):
    """Users of all the pages of stand-ins inside a text."""
    users = []
    for line in text.split("\n"):
        at = line.find('{"user"')
        if at >= 0:
            page, _ = json.JSONDecoder().raw_decode(line[at:])
            users.append(page["user"])
    return users
