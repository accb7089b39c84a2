"""App servers that speak HTTP/2: h2c with prior knowledge, or h2 over TLS."""
import h2.config
import h2.connection
import h2.events

from .backend import Server
from .wire import Closed, Message


class H2Backend(Server):
    """Records pseudo header fields as `start` and `:authority` as the header `Host`."""

    def __init__(self, *, names=None):
        super().__init__(names=names, alpn=("h2",), port=443 if names else 80)

    @property
    def scheme(self):
        return "h2" if self.names else "h2c"

    @property
    def url(self):
        return f"{self.scheme}://{self.address}"

    def serve(self, sock, number):
        config = h2.config.H2Configuration(client_side=False, header_encoding="latin-1",
                                           validate_inbound_headers=False)
        connection = h2.connection.H2Connection(config)
        connection.initiate_connection()
        sock.sendall(connection.data_to_send())
        streams = {}
        while True:
            data = sock.recv(65536)
            if not data:
                raise Closed(b"")
            for event in connection.receive_data(data):
                self._event(event, connection, streams, number, sock)
            sock.sendall(connection.data_to_send())

    def _event(self, event, connection, streams, number, sock):
        if isinstance(event, h2.events.RequestReceived):
            streams[event.stream_id] = _message(event.headers, number, sock)
        elif isinstance(event, h2.events.DataReceived):
            streams[event.stream_id].body += event.data
            connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            message = streams.pop(event.stream_id)
            self.record(message)
            answer = self.answer_to(message)
            fields = [(":status", str(answer.status))]
            fields += [(name.lower(), value) for name, value in answer.headers]
            fields.append(("content-length", str(len(answer.body))))
            bodyless = message.method == "HEAD" or not answer.body
            connection.send_headers(event.stream_id, fields, end_stream=bodyless)
            if not bodyless:
                connection.send_data(event.stream_id, answer.body, end_stream=True)


def _message(headers, number, sock):
    pseudo = {name: value for name, value in headers if name.startswith(":")}
    rest = [(name, value) for name, value in headers if not name.startswith(":")]
    if ":authority" in pseudo:
        rest.insert(0, ("Host", pseudo[":authority"]))
    raw = "".join(f"{name}: {value}\r\n" for name, value in headers).encode("latin-1")
    return Message(raw=raw, start=f"{pseudo[':method']} {pseudo[':path']} HTTP/2", headers=rest,
                   connection=number, sni=getattr(sock, "sni_seen", None))
