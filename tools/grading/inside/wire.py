"""JSON messages over a socket, with a length in front, a limit, and a time by which to arrive."""

import json
import select
import struct
import time

MAX_BYTES = 16_000_000


class Closed(Exception):
    """The other side is gone."""


class TooLate(Exception):
    """No whole message by the time given."""


class Garbled(Exception):
    """What came is not a message."""


def send(socket, message):
    data = json.dumps(message).encode()
    try:
        socket.sendall(struct.pack("!I", len(data)) + data)
    except OSError as error:
        raise Closed from error


def receive(socket, until=None):
    """The next message, a dict. until: a time of `time.monotonic`, None to wait for ever."""
    (size,) = struct.unpack("!I", exactly(socket, 4, until))
    if size > MAX_BYTES:
        raise Garbled(f"{size:,} bytes in one message")
    try:
        message = json.loads(exactly(socket, size, until))
    except (ValueError, RecursionError) as error:
        raise Garbled(str(error)[:100]) from None
    if not isinstance(message, dict):
        raise Garbled("not an object")
    return message


def exactly(socket, size, until):
    data = bytearray()
    while len(data) < size:
        wait = None if until is None else max(0, until - time.monotonic())
        if not select.select([socket], [], [], wait)[0]:
            raise TooLate
        try:
            part = socket.recv(min(size - len(data), 1 << 20))
        except OSError:
            part = b""
        if not part:
            raise Closed
        data += part
    return bytes(data)
