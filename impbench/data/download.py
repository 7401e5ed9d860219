"""Download of one official file: resumed after an interruption, checked against its SHA-256.

pooch puts a file in place only when it is whole and its checksum fits. The transfer itself stands
here, because pooch's own begins again from nothing after an interruption.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from impbench.data.card import CardFile
from impbench.errors import InputError, UnavailableError

Progress: TypeAlias = Callable[[int, int | None], None]
"""Called with the bytes that are here and the bytes in all (None: the server does not say)."""

ATTEMPTS = 3
TIMEOUT = 30.0
"""Seconds without a byte after which an attempt counts as broken off."""

CHUNK = 1 << 14

SUMS = "SHA256SUMS"
"""Checksums recorded at a first download, one file per folder, in the format of ``sha256sum``."""

_log = logging.getLogger(__name__)


def download(file: CardFile, folder: Path, progress: Progress | None = None) -> Path:
    """Return `file` in `folder`, fetched unless it is there and whole.

    Parameters
    ----------
    file
        What to fetch. Where its `sha256` is empty, the checksum is recorded in
        ``folder/SHA256SUMS`` at the first download (a warning says so) and checked from then on.
    folder
        Made if missing.
    progress
        Called as bytes arrive.

    Raises
    ------
    UnavailableError
        If the server cannot be reached, refuses or keeps breaking off; what arrived is kept, and
        the next call goes on from there.
    InputError
        If the checksum differs from the card's or from the recorded one.
    """
    import pooch

    recorded = recorded_sums(folder).get(file.filename, "")
    known = file.sha256 or recorded
    try:
        path = pooch.retrieve(
            file.url,
            known_hash=f"sha256:{known}" if known else None,
            fname=file.filename,
            path=folder,
            downloader=lambda url, target, _: _transfer(url, Path(target), folder, file, progress),
        )
    except ValueError as error:
        origin = "its card says" if file.sha256 else f"{folder / SUMS} recorded"
        raise InputError(
            f"{file.url} does not have the SHA-256 that {origin} ({known}); the file has changed "
            f"or was damaged on the way. If you trust the new one, put it at "
            f"{folder / file.filename} and correct the checksum"
        ) from error
    if not known:
        _record(folder, file.filename, pooch.file_hash(path))
    return Path(path)


def recorded_sums(folder: Path) -> dict[str, str]:
    """Return the checksums recorded in `folder`, by file name."""
    path = folder / SUMS
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}


def _record(folder: Path, name: str, digest: str) -> None:
    with (folder / SUMS).open("a", encoding="utf-8") as sums:
        sums.write(f"{digest}  {name}\n")
    _log.warning(
        "no checksum of %s is known beforehand; recorded SHA-256 %s in %s and check it from now on",
        name,
        digest,
        folder / SUMS,
    )


def _transfer(
    url: str, target: Path, folder: Path, file: CardFile, progress: Progress | None
) -> None:
    """Fetch `url` into ``folder/NAME.part`` from where it stopped, then move it to `target`."""
    import requests

    part = folder / f"{file.filename}.part"
    reason = ""
    for _ in range(ATTEMPTS):
        try:
            _append(url, part, progress)
        except requests.HTTPError as error:
            # The server is there and says no: asking again would not help.
            reason = str(error).partition(" for url")[0]
            break
        except requests.RequestException as error:
            reason = _plainly(error)
            continue
        part.replace(target)
        part.with_suffix(".etag").unlink(missing_ok=True)
        return
    raise UnavailableError(f"{url} could not be downloaded: {reason}")


def _append(url: str, part: Path, progress: Progress | None) -> None:
    import requests

    tag = part.with_suffix(".etag")
    have = part.stat().st_size if part.is_file() and tag.is_file() else 0
    # If-Range: go on only if the server still holds the very file that the part came from.
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": tag.read_text(encoding="utf-8")}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            tag.unlink()
            return _append(url, part, progress)
        response.raise_for_status()
        resumed = response.status_code == requests.codes.partial_content
        have = have if resumed else 0
        length = response.headers.get("Content-Length")
        total = None if length is None else have + int(length)
        _remember(response, tag)
        with part.open("ab" if resumed else "wb") as out:
            for block in response.iter_content(CHUNK):
                out.write(block)
                have += len(block)
                if progress is not None:
                    progress(have, total)
    if total is not None and have != total:
        raise requests.ConnectionError(f"the connection closed after {have} of {total} bytes")
    return None


def _remember(response: Any, tag: Path) -> None:
    validator = response.headers.get("ETag") or response.headers.get("Last-Modified")
    if validator and not validator.startswith("W/"):
        tag.write_text(validator, encoding="utf-8")
    else:
        tag.unlink(missing_ok=True)


def _plainly(error: Exception) -> str:
    """Return the innermost cause of a network error, without the layers wrapped around it."""
    import requests

    if isinstance(error, requests.Timeout):
        return f"no answer within {TIMEOUT:.0f} s"
    text = str(error)
    for sign, meaning in (
        ("Connection refused", "connection refused"),
        ("resolve", "its server's name cannot be resolved; there seems to be no network"),
        ("unreachable", "the network is unreachable"),
        ("IncompleteRead", "the connection broke off"),
    ):
        if sign in text:
            return meaning
    return text
