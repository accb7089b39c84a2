"""Thousands of clients that have had an answer and keep their connections, and what each costs httpd.

    with Idle(address, "https") as crowd:
        crowd.come(9000)
        crowd.gone()        # how many connections httpd has closed
"""
import select
import socket
import threading

from lab.faults import raise_limit
from osptest import H2Connection, tls
from osptest.client import NAME, encode

THREADS = 8


class Idle:
    """Clients of one kind: http, https, h2. target: what each has asked for."""

    def __init__(self, address, kind, target="/public", *, source=None):
        raise_limit()
        self.address, self.kind, self.source = address, kind, source
        self.target, self.request = target, encode(target)
        self.tls = tls.client_context(alpn=("http/1.1",), verify=False) if kind == "https" else None
        self.sockets = []
        self.failures = []
        self.lock = threading.Lock()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.leave()

    def come(self, count, patience=60):
        """So many more of them; everyone has been answered when it returns."""
        wanted = iter(range(count))

        def enter():
            while not self.failures:
                with self.lock:
                    if next(wanted, None) is None:
                        return
                try:
                    connection = self.connect(patience)
                except OSError as problem:
                    self.failures.append(problem)
                    return
                with self.lock:
                    self.sockets.append(connection)

        threads = [threading.Thread(target=enter) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not self.failures, f"{len(self.sockets)} came, then {self.failures[0]!r}"

    def connect(self, patience=60):
        """A client of this kind, answered."""
        if self.kind == "h2":
            return self.connect_h2(patience)
        connection = socket.create_connection((self.address, 443 if self.tls else 80), patience,
                                              (self.source, 0) if self.source else None)
        try:
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_hostname=NAME)
            connection.sendall(self.request)
            answer = b""
            while b"\r\n\r\n" not in answer:
                piece = connection.recv(65536)
                if not piece:
                    raise ConnectionError("closed without an answer")
                answer += piece
            head, _, body = answer.partition(b"\r\n\r\n")
            length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
                          if line.startswith(b"content-length:"))
            while len(body) < length:
                body += connection.recv(65536)
            if b" 200 " not in head[:20]:
                raise ConnectionError(head.split(b"\r\n")[0].decode())
        except BaseException:
            connection.close()
            raise
        return connection

    def connect_h2(self, patience):
        client = H2Connection(self.address, timeout=patience)
        answer = client.request(self.target)
        if answer.status != 200:
            raise ConnectionError(f"status {answer.status}")
        return client.sock

    def gone(self):
        """How many of the connections httpd has ended by now."""
        poll = select.poll()
        for connection in self.sockets:
            poll.register(connection, select.POLLRDHUP)
        return len(poll.poll(0))

    def leave(self):
        for connection in self.sockets:
            connection.close()
        self.sockets = []


def weigh(pids):
    """Memory of these processes in bytes: what they share is counted once (Pss)."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            total += next(int(line.split()[1]) for line in file if line.startswith("Pss:")) * 1024
    return total
