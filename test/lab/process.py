"""A server process: started in the foreground, waited for, stopped by its own pid."""
import atexit
import os
import signal
import socket
import subprocess
import time

running = []


class Process:
    """command runs until stop(). ready: (address, port) pairs that must accept connections."""

    def __init__(self, name, command, *, log, env=None, ready=(), cwd=None, limit=10):
        self.name = name
        self.log = log
        with open(log, "ab") as output:
            self.popen = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, env={**os.environ, **(env or {})}, cwd=cwd, start_new_session=True)
        running.append(self)
        self._wait(ready, limit)

    @property
    def pid(self):
        return self.popen.pid

    def alive(self):
        return self.popen.poll() is None

    def send(self, number):
        self.popen.send_signal(number)

    def stop(self, number=signal.SIGTERM):
        """Ends the process, and its children where it does not end in time."""
        if self.alive():
            self.send(number)
            try:
                self.popen.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(self.pid, signal.SIGKILL)
                self.popen.wait()
        if self in running:
            running.remove(self)

    def tail(self, count=30):
        with open(self.log, encoding="latin-1") as file:
            return "".join(file.readlines()[-count:])

    def _wait(self, ready, limit):
        end = time.monotonic() + limit
        for place in ready:
            while not accepts(place):
                if not self.alive() or time.monotonic() > end:
                    self.stop(signal.SIGKILL)
                    raise RuntimeError(f"{self.name} does not listen on {place}\n{self.tail()}")
                time.sleep(0.01)


def accepts(place):
    """Whether somebody listens at (address, port)."""
    try:
        socket.create_connection(place, 1).close()
        return True
    except OSError:
        return False


@atexit.register
def _stop_all():
    for process in list(running):
        process.stop(signal.SIGKILL)
