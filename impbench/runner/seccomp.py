"""A filter of system calls for what Landlock leaves open: networks, memory shared by number.

Only processes of this machine's main architecture are let through it. This file also runs on
Python 3.8.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# By architecture: x86_64, aarch64.
_SOCKET = (41, 198)
_PRCTL = (157, 167)
_REFUSED = {
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "io_uring_setup": (425, 425),
}
"""Each could pass data from one job to the next, or do what is refused in another way."""

_LOCAL_SOCKETS = {"AF_UNIX": 1, "AF_NETLINK": 16}
_SET_CHILD_SUBREAPER = 36
_X32 = 0x40000000
"""Numbers from here on are calls of another architecture in disguise."""

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000
_NUMBER, _ARCHITECTURE, _ARGUMENT = 0, 4, 16
"""Where the parts of a call stand, in bytes."""


def known() -> bool:
    """Return whether there is a filter for this machine."""
    return sys.platform.startswith("linux") and platform.machine() in _ARCHITECTURES


def restrict(network: bool = False) -> None:
    """Refuse this process and all it starts sockets to other machines and shared memory by number.

    Parameters
    ----------
    network
        Whether sockets stay open.

    Raises
    ------
    OSError
        If the kernel refuses.
    """
    program = b"".join(_program(network))
    code = ctypes.create_string_buffer(program)
    length = len(program) // 8
    # struct sock_fprog: a count, padding, a pointer.
    description = struct.pack("HxxxxxxP", length, ctypes.addressof(code))
    set_seccomp, filtering = 22, 2
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(set_seccomp, filtering, ctypes.c_char_p(description), 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp: {os.strerror(number)}")


def _program(network: bool) -> list[bytes]:
    """Return the filter, one instruction of eight bytes each."""
    place = list(_ARCHITECTURES).index(platform.machine())
    refuse = _step(_RETURN, value=_REFUSE | errno.EPERM)
    allow = _step(_RETURN, value=_ALLOW)
    steps = [
        _step(_LOAD, value=_ARCHITECTURE),
        _step(_EQUAL, value=_ARCHITECTURES[platform.machine()], yes=1),
        refuse,
        _step(_LOAD, value=_NUMBER),
        _step(_AT_LEAST, value=_X32, no=1),
        refuse,
    ]
    for numbers in _REFUSED.values():
        steps += [_step(_EQUAL, value=numbers[place], no=1), refuse]
    families = [] if network else list(_LOCAL_SOCKETS.values())
    if families:
        steps += [_step(_EQUAL, value=_SOCKET[place], no=len(families) + 3)]
        steps += [_step(_LOAD, value=_ARGUMENT)]
    steps += [
        _step(_EQUAL, value=family, yes=len(families) - i) for i, family in enumerate(families)
    ]
    steps += [refuse, allow] if families else []
    # Orphans go to the worker, which ends them: nothing may change that.
    steps += [_step(_EQUAL, value=_PRCTL[place], no=3), _step(_LOAD, value=_ARGUMENT)]
    steps += [_step(_EQUAL, value=_SET_CHILD_SUBREAPER, no=1), refuse, allow]
    return steps


def _step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    """Return one instruction of the filter; `yes` and `no` say how many steps are passed over."""
    return struct.pack("HBBI", code, yes, no, value)
