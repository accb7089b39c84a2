"""An HTTP/2 client over TLS: one connection, its streams one after the other."""
import socket
import time

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

from . import tls
from .wire import Closed, Message


GOAWAY = 7


class StreamReset(Exception):
    """The server reset the stream; args[0] is the error code."""


class H2Connection:
    def __init__(self, address, *, sni="apps.example.com", source=None, timeout=10):
        bind = (source, 0) if source else None
        plain = socket.create_connection((address, 443), timeout, bind)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        context = tls.client_context(alpn=("h2",), verify=False)
        self.sock = context.wrap_socket(plain, server_hostname=sni)
        assert self.sock.selected_alpn_protocol() == "h2", "the server does not offer h2"
        config = h2.config.H2Configuration(client_side=True, header_encoding="latin-1",
                                           validate_outbound_headers=False,
                                           normalize_outbound_headers=False)
        self.h2 = h2.connection.H2Connection(config)
        self.h2.initiate_connection()
        self.pending = []
        self.unparsed = b""
        self._flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def _flush(self):
        self.sock.sendall(self.h2.data_to_send())

    def _events(self):
        if not self.pending:
            data = self.sock.recv(65536)
            if not data:
                raise Closed(b"")
            self.pending = self.h2.receive_data(self._without_goaway(data))
            self._flush()
        events, self.pending = self.pending, []
        return events

    def settled(self):
        """Waits for the server's settings: an extended CONNECT needs its consent."""
        while not self.h2.remote_settings.enable_connect_protocol:
            self.pending = self._events()

    def _without_goaway(self, data):
        """Whole frames but GOAWAY: after it the library takes nothing more, while a server that
        reloads still answers the streams that it has accepted."""
        self.unparsed += data
        kept = b""
        while len(self.unparsed) >= 9:
            size = 9 + int.from_bytes(self.unparsed[:3], "big")
            if len(self.unparsed) < size:
                break
            frame, self.unparsed = self.unparsed[:size], self.unparsed[size:]
            if frame[3] != GOAWAY:
                kept += frame
        return kept

    def open(self, target="/", *, method="GET", host="apps.example.com", headers=(), end=True,
             protocol=None):
        """Sends the head of a request; the stream's number."""
        fields = [(":method", method)]
        if protocol:
            fields.append((":protocol", protocol))
        fields += [(":scheme", "https"), (":path", target)]
        if host is not None:
            fields.append((":authority", host))
        fields += [(name.lower(), value) for name, value in headers]
        fields = [(name, value.encode("latin-1")) for name, value in fields]
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, fields, end_stream=end)
        self._flush()
        return stream

    def request(self, target="/", *, method="GET", host="apps.example.com", headers=(), body=b"",
                version=None):
        stream = self.open(target, method=method, host=host, headers=headers, end=not body)
        if body:
            self.h2.send_data(stream, body, end_stream=True)
            self._flush()
        return self.response(stream)

    def response(self, stream, until_end=True):
        """The answer on a stream; until_end False: its head only, as soon as it is there."""
        message = None
        while True:
            for event in self._events():
                if getattr(event, "stream_id", None) not in (stream, None):
                    continue
                if isinstance(event, h2.events.ResponseReceived):
                    message = _message(event.headers)
                    if not until_end:
                        return message
                elif isinstance(event, h2.events.DataReceived):
                    message.body += event.data
                    size = event.flow_controlled_length
                    self.h2.acknowledge_received_data(size, event.stream_id)
                    self._flush()
                elif isinstance(event, h2.events.StreamEnded):
                    return message
                elif isinstance(event, h2.events.StreamReset):
                    raise StreamReset(event.error_code)

    def data(self, stream, size):
        """At least size bytes of the body of a stream that stays open."""
        got = b""
        while len(got) < size:
            for event in self._events():
                if isinstance(event, h2.events.DataReceived) and event.stream_id == stream:
                    got += event.data
                elif isinstance(event, (h2.events.StreamReset, h2.events.StreamEnded)):
                    raise Closed(got)
        return got

    def send_data(self, stream, data):
        self.h2.send_data(stream, data)
        self._flush()

    def wait_for_close(self, limit):
        """Seconds until the server closes; the limit when it does not."""
        start = time.monotonic()
        self.sock.settimeout(limit)
        try:
            while self.sock.recv(4096):
                pass
        except TimeoutError:
            return limit
        except ConnectionResetError:
            pass
        return time.monotonic() - start


def _message(headers):
    status = dict(headers)[":status"]
    rest = [(name, value) for name, value in headers if not name.startswith(":")]
    raw = "".join(f"{name}: {value}\r\n" for name, value in headers).encode("latin-1")
    return Message(raw=raw, start=f"HTTP/2 {status} ", headers=rest)
