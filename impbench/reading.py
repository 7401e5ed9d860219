"""Read TOML and JSON strictly, and say where a file is wrong: line, key, what was expected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from impbench.errors import InputError

T = TypeVar("T")


def read_json(data: bytes, kind: type[T], origin: str) -> T:
    """Decode JSON into a `msgspec.Struct` or another type that msgspec knows.

    Parameters
    ----------
    data
        UTF-8.
    kind
        A ``Struct`` with ``forbid_unknown_fields`` refuses keys that it does not have.
    origin
        What the data are called in messages, such as a path.

    Raises
    ------
    InputError
        If it is no JSON, or does not fit; names `origin` and the place.
    """
    # Imported late: it takes a fifth of a second, and most commands read nothing.
    import msgspec

    try:
        try:
            return msgspec.json.decode(data, type=kind)
        except msgspec.DecodeError as error:
            if isinstance(error, msgspec.ValidationError):
                raise
            # Half a character, as in the name of a file that is no text, and NaN: what Python
            # writes as JSON, and only Python reads.
            return msgspec.convert(json.loads(data), kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InputError(f"{origin}: {error}") from error


def read_toml(path: Path, kind: type[T], what: str) -> T:
    """Read a TOML file into a `msgspec.Struct`; parameters and errors as `read_json`.

    Parameters
    ----------
    what
        The kind of file, such as ``suite``; messages say it with the path.
    """
    import msgspec

    try:
        return msgspec.toml.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise InputError(f"{what} {path} cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InputError(f"{what} {path}: {error}") from error
