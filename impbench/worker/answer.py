"""Check once, at the door, what a worker sends back; trust nothing in it.

A method can write anything where its answer should be: half a file, a link to somebody else's, a
pipe that is never filled. What does not fit is the job's failure, with the reason.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

LARGEST_FACTS = 2**20
"""Bytes of JSON that may come with an imputation; ``info`` is for small facts."""
DEEPEST = 20
"""How deep its lists and objects may be nested."""
LOG_HEAD, LOG_TAIL = 2**16, 3 * 2**16
"""Bytes of what a worker printed that are kept, from the beginning and from the end."""

WIDEST = 2000
"""Columns that an embedding may have."""

_LONGEST_MESSAGE = 2000
_ARRAYS = ("expression.npy", "std.npy", "embedding.npy")


class AnswerError(ValueError):
    """A worker's answer is not what it must be."""


@dataclass(frozen=True)
class Answer:
    """What a worker says of its imputations."""

    versions: dict[str, str]
    """Of what took part, by name."""


@dataclass(frozen=True)
class WorkerError:
    """The exception that ended a worker, in its own words."""

    type: str
    message: str


def read_answer(folder: Path, seeds: Sequence[int], gives: Sequence[str]) -> Answer:
    """Check what a worker, which has ended, left in `folder`: an imputation for each of `seeds`.

    Parameters
    ----------
    gives
        The parts that each must hold.

    Raises
    ------
    AnswerError
        If something is missing or is not what the worker file writes.
    """
    done = _read_object(folder / "done.json", "done.json")
    for seed in seeds:
        place = folder / f"seed-{seed}"
        if not stat.S_ISDIR(_status(place, place.name).st_mode):
            raise AnswerError(f"{place.name} is no folder")
        facts = _read_object(place / "imputed.json", f"{place.name}/imputed.json")
        there = {name for name in _ARRAYS if _there(place / name)}
        needed = {f"{part}.npy" for part in gives}
        scaled = _ARRAYS[0] not in there | needed or isinstance(facts.get("scale"), str)
        if not scaled or not isinstance(facts.get("info"), dict):
            raise AnswerError(f"{place.name}/imputed.json lacks its scale or its info")
        _texts(facts["info"].get("versions", {}), "info['versions']")
        for name in _ARRAYS:
            if name in there | needed:
                _check_array(place / name, f"{place.name}/{name}")
    return Answer(_texts(done.get("versions"), "versions"))


def read_error(folder: Path) -> WorkerError | None:
    """Read why a worker failed; None where it did not say so.

    Raises
    ------
    AnswerError
        If what it says cannot be read.
    """
    if not _there(folder / "error.json"):
        return None
    error = _read_object(folder / "error.json", "error.json")
    kind, message = error.get("type"), error.get("message")
    if not isinstance(kind, str) or not isinstance(message, str):
        raise AnswerError("error.json does not say what went wrong")
    if len(message) > _LONGEST_MESSAGE:
        message = message[:_LONGEST_MESSAGE] + "…"
    return WorkerError(kind[:_LONGEST_MESSAGE], message)


def read_log(path: Path) -> str:
    """Return what a worker printed; of much only the beginning and the end, and how much lacks."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return ""
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return ""
        size = os.fstat(descriptor).st_size
        if size <= LOG_HEAD + LOG_TAIL:
            return file.read(LOG_HEAD + LOG_TAIL).decode("utf-8", "replace")
        head = file.read(LOG_HEAD).decode("utf-8", "replace")
        file.seek(size - LOG_TAIL)
        tail = file.read(LOG_TAIL).decode("utf-8", "replace")
    left_out = size - LOG_HEAD - LOG_TAIL
    return f"{head}\n[{left_out} bytes are left out here]\n{tail}"


def _read_object(path: Path, name: str) -> dict[str, Any]:
    """Read a small JSON object from a regular file."""
    if _regular(path, name).st_size > LARGEST_FACTS:
        raise AnswerError(f"{name} holds more than {LARGEST_FACTS} bytes; info is for small facts")
    try:
        content = json.loads(path.read_bytes().decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise AnswerError(f"{name} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise AnswerError(f"{name} holds no object")
    _check_depth(content, name)
    return content


def _check_depth(content: Any, name: str) -> None:
    level = [content]
    for _ in range(DEEPEST):
        level = [
            item
            for each in level
            if isinstance(each, dict | list)
            for item in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return
    raise AnswerError(f"{name} is nested more than {DEEPEST} levels deep")


def _check_array(path: Path, name: str) -> None:
    """Check that a file is a matrix as the worker writes it, and as large as it says."""
    size = _regular(path, name).st_size
    try:
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            length = size - file.tell()
    except (OSError, ValueError) as error:
        raise AnswerError(f"{name} is no array: {error}") from error
    if dtype != np.float32 or len(shape) != 2 or length != 4 * math.prod(shape):
        raise AnswerError(
            f"{name} is not a matrix of single-precision numbers, as large as it says"
        )
    if path.name == "embedding.npy" and shape[1] > WIDEST:
        raise AnswerError(f"{name} has {shape[1]} columns; an embedding has at most {WIDEST}")


def _there(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise AnswerError(f"{path.name} cannot be looked at: {error.strerror}") from error
    return True


def _texts(value: Any, name: str) -> dict[str, str]:
    if not isinstance(value, dict):
        raise AnswerError(f"{name} must be an object of texts, not {_shown(value)}")
    for key, text in value.items():
        if not isinstance(text, str):
            raise AnswerError(f"{name}[{key[:60]!r}] must be a text, not {_shown(text)}")
    return value


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _regular(path: Path, name: str) -> os.stat_result:
    """Return the status of a file that is neither a link, nor a pipe, nor shared with another."""
    found = _status(path, name)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        raise AnswerError(f"{name} is no plain file")
    return found


def _status(path: Path, name: str) -> os.stat_result:
    try:
        return path.lstat()
    except OSError as error:
        raise AnswerError(f"there is no {name}: {error.strerror}") from error
