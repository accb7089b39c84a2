"""/WinAuth/: a page with Windows authentication. As on IIS the *connection* is authenticated: after
an NTLM handshake every request on that TCP connection is that user, with or without Authorization.
A request with a Via header is the exception: IIS then asks for a new handshake each time.
"""
import base64
import binascii
import json
import os

import ntlm
from server import Response

ACCOUNTS = {"alice": "alicepw", "bob": "bobpw"}
DOMAIN = "LAB"


class WinAuth:
    """The page and its accounts on one server."""

    def __init__(self, server_name):
        self.server_name = server_name
        self.domains = (DOMAIN, server_name.upper(), "")

    def handle(self, request):
        """200 with the connection's user, or 401 with the next step of the handshake."""
        connection = request.connection
        scheme, _, token = request.header("Authorization").strip().partition(" ")
        challenge = None
        if scheme:
            connection.user = None
            if scheme.lower() in ("ntlm", "negotiate"):
                challenge = self.step(connection, token.strip())
        if connection.user is None:
            return self.unauthorized(scheme, challenge)
        response = self.page(request, scheme)
        if "via" in request.index:
            connection.user = None
        return response

    def step(self, connection, token):
        """Takes one message of the client; returns the Type-2 message to send, or None."""
        pending, connection.challenge = connection.challenge, None
        try:
            message = base64.b64decode(token, validate=True)
            if ntlm.message_type(message) == 1:
                connection.challenge = os.urandom(8)
                return ntlm.challenge_message(message, connection.challenge, DOMAIN,
                                              self.server_name)
            if pending is not None:
                connection.user = ntlm.authenticate(message, pending, ACCOUNTS, self.domains)
        except (binascii.Error, ntlm.NtlmError):
            pass
        return None

    @staticmethod
    def unauthorized(scheme, challenge):
        """401 with the Type-2 message under the client's scheme, or with the offers of IIS."""
        if challenge is not None:
            offers = [f"{scheme} {base64.b64encode(challenge).decode()}"]
        else:
            offers = ["Negotiate", "NTLM"]
        return Response(401, "<html><body><h2>401 - Unauthorized</h2></body></html>", "text/html",
                        [("WWW-Authenticate", offer) for offer in offers])

    def page(self, request, scheme):
        """Who the connection is, as one line of JSON."""
        connection = request.connection
        answer = {"user": connection.user, "server": self.server_name,
                  "connection": connection.number, "request": connection.requests,
                  "authorization_sent": bool(scheme), "body_length": request.body_length,
                  "body_md5": request.body_md5}
        headers = [("Cache-Control", "private, no-cache")]
        if not scheme:
            headers.append(("Persistent-Auth", "true"))
        return Response(200, json.dumps(answer) + "\n", "application/json; charset=utf-8", headers)
