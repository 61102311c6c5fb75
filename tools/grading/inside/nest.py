"""A place of its own for one student's work, within a sandbox that others will use after it.

What bubblewrap shows stays as it is, all of it read-only. New, and gone when the work is done, are
the processes, of which only those of this place are seen; what can be written, /tmp and /dev/shm;
shared memory and queues of messages; a network that leads nowhere; and the user, with keys of its
own and no rights. So what one student leaves, the next does not find (namespaces(7),
user_namespaces(7), capabilities(7)).
"""

import ctypes
import fcntl
import os
import re
import socket
import struct
from pathlib import Path

NEW = {"mounts": 1 << 17, "messages": 1 << 27, "user": 1 << 28, "processes": 1 << 29}
NEW |= {"network": 1 << 30}  # of unshare(2)
NO_SETUID, NO_DEVICES, NO_PROGRAMS, AS_SEEN = 2, 4, 8, 4096 | 16384  # of mount(2)
SET_FLAGS, UP = 0x8914, 1  # of netdevice(7)
DROP_RIGHT, CAPABILITIES_3 = 24, 0x20080522  # of prctl(2), capset(2)

system = ctypes.CDLL(None, use_errno=True)


def enter(disk):
    """Fork the first process of the place, and return in it; the one that was here waits for its
    end. disk: bytes that each of the two folders may take. Raises OSError where the kernel, or who
    configured it, does not allow it."""
    user, group = os.getuid(), os.getgid()
    call("unshare", sum(NEW.values()))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    if first := os.fork():
        os.waitpid(first, 0)
        os._exit(0)
    os.setsid()
    for folder in ("/tmp", "/dev/shm"):
        empty(folder, disk)
    mount("proc", "/proc", "proc", NO_SETUID | NO_DEVICES | NO_PROGRAMS)
    os.mkdir("/tmp/work")
    os.chdir("/tmp/work")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_one:
        fcntl.ioctl(any_one, SET_FLAGS, struct.pack("16sH14x", b"lo", UP))
    Path("/proc/sys/user/max_user_namespaces").write_text("0")  # there is no place within it
    drop_rights()


def empty(folder, disk):
    """Put an empty folder in memory over this one, and back in it what bubblewrap shows there."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    names = [line.split()[4] for line in lines]  # in which a space is \040
    places = [re.sub(r"\\(\d{3})", lambda code: chr(int(code[1], 8)), one) for one in names]
    below = sorted(one for one in places if one.startswith(f"{folder}/"))
    shown = {place: os.open(place, os.O_PATH) for place in below}
    mount("tmpfs", folder, "tmpfs", NO_SETUID | NO_DEVICES, f"size={disk},mode=755")
    for place, descriptor in shown.items():
        if not os.path.exists(place):  # else it came along with one above it
            os.makedirs(place)
            mount(f"/proc/self/fd/{descriptor}", place, None, AS_SEEN)
        os.close(descriptor)


def drop_rights():
    """Give up what a new user's first process may do, for it and all that it starts."""
    for right in range(int(Path("/proc/sys/kernel/cap_last_cap").read_text()) + 1):
        call("prctl", DROP_RIGHT, right, 0, 0, 0)
    call("capset", (ctypes.c_uint32 * 2)(CAPABILITIES_3, 0), (ctypes.c_uint32 * 6)())


def mount(what, where, kind, flags, more=None):
    words = [None if one is None else one.encode() for one in (what, where, kind)]
    call("mount", *words, ctypes.c_ulong(flags), more and more.encode())


def call(name, *arguments):
    if getattr(system, name)(*arguments) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
