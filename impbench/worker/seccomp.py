"""Refuse system calls that Landlock leaves open: networks, memory shared by number.

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
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TypeAlias

    _Numbers: TypeAlias = "tuple[int | None, int | None]"

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# Numbers of system calls by architecture: x86_64, aarch64; None where it has no such call.
_REFUSED: dict[str, _Numbers] = {
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "io_uring_setup": (425, 425),
}
"""Each could pass data from one job to the next, or do what is refused in another way."""

_PRETENDED: dict[str, _Numbers] = {
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "lchown": (94, None),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
}
"""Permissions, owners and times of files, which Landlock leaves open. To copy a file sets them, and
an error would end honest programs: nothing is done, and success is told."""

_OF_THEMSELVES: dict[str, _Numbers] = {
    "prlimit64": (302, 261),
    "sched_setaffinity": (203, 122),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "sched_setattr": (314, 274),
}
"""Whose first argument is a process: only 0, the caller."""

_OF_THEMSELVES_SECOND: dict[str, _Numbers] = {"setpriority": (141, 140), "ioprio_set": (251, 30)}

_SOCKET: _Numbers = (41, 198)
_CONNECT: _Numbers = (42, 203)
_PRCTL: _Numbers = (157, 167)
_CLONE: _Numbers = (56, 220)
_CLONE3: _Numbers = (435, 435)

_UNIX, _NETLINK, _ROUTE = 1, 16, 0
_SET_CHILD_SUBREAPER = 36
_CLONE_PARENT = 0x8000
_X32 = 0x40000000
"""Numbers from here on are calls of another architecture in disguise."""

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_NUMBER, _ARCHITECTURE = 0, 4
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
    steps = [
        _step(_LOAD, value=_ARCHITECTURE),
        _step(_EQUAL, value=_ARCHITECTURES[platform.machine()], yes=1),
        _error(errno.EPERM),
        _step(_LOAD, value=_NUMBER),
        _step(_AT_LEAST, value=_X32, no=1),
        _error(errno.EPERM),
    ]
    for numbers, answer in _rules(network):
        number = numbers[place]
        if number is not None:
            steps += [_step(_EQUAL, value=number, no=len(answer)), *answer]
    return [*steps, _step(_RETURN, value=_ALLOW)]


def _rules(network: bool) -> Iterator[tuple[_Numbers, list[bytes]]]:
    """Yield system calls with the steps that answer them, the last of which returns."""
    refuse, allow = _error(errno.EPERM), _step(_RETURN, value=_ALLOW)
    for numbers in _REFUSED.values():
        yield numbers, [refuse]
    for numbers in _PRETENDED.values():
        yield numbers, [_error(0)]
    for numbers in _OF_THEMSELVES.values():
        yield numbers, [_argument(0), _step(_EQUAL, value=0, yes=1), refuse, allow]
    for numbers in _OF_THEMSELVES_SECOND.values():
        yield numbers, [_argument(1), _step(_EQUAL, value=0, yes=1), refuse, allow]
    # A child of the runner's, and not of the worker, would be in nobody's account.
    yield _CLONE, [_argument(0), _step(_ANY_BIT, value=_CLONE_PARENT, no=1), refuse, allow]
    # Its arguments cannot be seen; who is told that there is none takes the other.
    yield _CLONE3, [_error(errno.ENOSYS)]
    # Orphans go to the worker, which ends them: nothing may change that.
    yield _PRCTL, [_argument(0), _step(_EQUAL, value=_SET_CHILD_SUBREAPER, no=1), refuse, allow]
    if not network:
        yield _CONNECT, [refuse]
        yield (
            _SOCKET,
            [
                _argument(0),
                _step(_EQUAL, value=_UNIX, yes=4),
                _step(_EQUAL, value=_NETLINK, no=2),
                # What the machine's network looks like may be asked; two jobs may not talk.
                _argument(2),
                _step(_EQUAL, value=_ROUTE, yes=1),
                refuse,
                allow,
            ],
        )


def _argument(place: int) -> bytes:
    """Load the lower half of an argument of the call."""
    return _step(_LOAD, value=16 + 8 * place)


def _error(number: int) -> bytes:
    """Return from the call with an error, or as if it had been done where that is 0."""
    return _step(_RETURN, value=_ERROR | number)


def _step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    """Return one instruction of the filter; `yes` and `no` say how many steps are passed over."""
    return struct.pack("HBBI", code, yes, no, value)
