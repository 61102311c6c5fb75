"""Messages over a socket: a head in JSON and a body of raw bytes, with limits and a time to arrive.

The other side may be a student's code, so nothing that comes is more than looked at here.
"""

import json
import socket
import struct
import time

MAX_HEAD, MAX_BODY = 8_000_000, 256_000_000  # bytes
SEND_SECONDS = 30  # for a side that does not read, where answers have a time to arrive
WAIT = socket.MSG_WAITALL


class Closed(Exception):
    """The other side is gone."""


class TooLate(Exception):
    """No whole message by the time given."""


class Garbled(Exception):
    """What came, or should go, is not a message."""


class Channel:
    def __init__(self, socket):
        self.socket, self.left = socket, 0.0  # left: seconds to wait, None for ever

    def close(self):
        self.socket.close()

    def send(self, message, body=b""):
        """message: a dict of what JSON knows. Raises Closed, TooLate or Garbled."""
        try:
            head = json.dumps(message).encode()
        except (ValueError, TypeError, RecursionError) as error:
            raise Garbled(str(error)[:200]) from None
        within(len(head), len(body))
        if self.left is not None:
            self.wait(SEND_SECONDS)
        try:
            self.socket.sendall(struct.pack("!IQ", len(head), len(body)) + head + body)
        except TimeoutError:
            raise TooLate from None
        except OSError as error:
            raise Closed from error

    def receive(self, until=None):
        """(message, body). until: a time of `time.monotonic`, None to wait for ever."""
        head, body = struct.unpack("!IQ", self.exactly(12, until))
        within(head, body)
        data = self.exactly(head + body, until)
        try:
            message = json.loads(data[:head])
        except (ValueError, RecursionError) as error:
            raise Garbled(str(error)[:200]) from None
        if not isinstance(message, dict):
            raise Garbled("not an object")
        return message, memoryview(data)[head:]

    def wait(self, seconds):
        if seconds != self.left:
            self.socket.settimeout(seconds)
            self.left = seconds

    def exactly(self, size, until):
        data = bytearray()
        while len(data) < size:
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                raise TooLate
            self.wait(left)
            try:
                part = self.socket.recv(min(size - len(data), 1 << 20), WAIT)
            except TimeoutError:
                raise TooLate from None
            except OSError:
                part = b""
            if not part:
                raise Closed
            data += part
        return data


def within(head, body):
    if head > MAX_HEAD or body > MAX_BODY:
        raise Garbled(f"{(head + body) / 1e6:,.0f} MB in one message, which is too much")
