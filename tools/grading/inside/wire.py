"""Messages over a socket: JSON, with a limit, and a time to arrive; and children that have one.

The other side may be a student's code, so nothing that comes is more than looked at here.
"""

import contextlib
import json
import os
import socket
import struct
import time

MAX_BYTES = 100_000_000  # of a message, if nothing else is said
SEND_SECONDS = 30  # for a side that does not read, where answers have a time to arrive


class Closed(Exception):
    """The other side is gone."""


class TooLate(Exception):
    """No whole message by the time given."""


class Garbled(Exception):
    """What came, or should go, is not a message."""


class Channel:
    def __init__(self, socket, most=MAX_BYTES):
        self.socket, self.most = socket, most

    def close(self):
        self.socket.close()

    def send(self, message):
        """message: a dict of what JSON knows. Raises Closed, TooLate or Garbled."""
        try:
            data = json.dumps(message).encode()
        except (ValueError, TypeError, RecursionError) as error:
            raise Garbled(str(error)[:200]) from None
        self.bound(len(data))
        if self.socket.gettimeout() is not None:
            self.socket.settimeout(SEND_SECONDS)
        try:
            self.socket.sendall(struct.pack("!Q", len(data)) + data)
        except TimeoutError:
            raise TooLate from None
        except OSError as error:
            raise Closed from error

    def receive(self, until=None):
        """A message. until: a time of `time.monotonic`, None to wait for ever."""
        (size,) = struct.unpack("!Q", self.exactly(8, until))
        self.bound(size)
        try:
            message = json.loads(self.exactly(size, until))
        except (ValueError, RecursionError) as error:
            raise Garbled(str(error)[:200]) from None
        if not isinstance(message, dict):
            raise Garbled("not an object")
        return message

    def exactly(self, size, until):
        data = bytearray()
        while len(data) < size:
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                raise TooLate
            if left is not None or self.socket.gettimeout() is not None:
                self.socket.settimeout(left)
            try:
                part = self.socket.recv(min(size - len(data), 1 << 20), socket.MSG_WAITALL)
            except TimeoutError:
                raise TooLate from None
            except OSError:
                part = b""
            if not part:
                raise Closed
            data += part
        return data

    def bound(self, size):
        if size > self.most:
            raise Garbled(f"{size / 1e6:,.0f} MB in one message, which is too much")


def hand_over(channel, theirs, seconds=60):
    """Have the other side `beget` a child that has this socket. Returns its process number."""
    with theirs:
        socket.send_fds(channel.socket, [b"."], [theirs.fileno()])
    number = channel.receive(time.monotonic() + seconds)["process"]
    if type(number) is not int or number < 2:
        raise Garbled("no process")
    return number


def beget(control, life):
    """Fork a child that has the channel handed over as its own, and say its process number."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    control.socket.settimeout(None)
    _, (descriptor,), _, _ = socket.recv_fds(control.socket, 1, 1)
    child = os.fork()
    if child == 0:
        try:
            control.close()
            life(Channel(socket.socket(fileno=descriptor)))
        except BaseException:
            pass
        finally:
            os._exit(0)
    os.close(descriptor)
    control.send({"process": child})
