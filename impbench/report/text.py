"""Make names and logs fit to be shown: printable, on one line, short, safe as a file name."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from impbench.escape_text import visible

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


def plain(text: object) -> str:
    """Return `text` on one line; characters that cannot be seen (or that steer) become visible."""
    # Spaces stay as many as there are: a path is no path without them.
    return re.sub(r"\s*[\n\t]\s*", " ", visible(str(text), keep="\n\t ")).strip()


def plain_lines(text: str) -> str:
    """Return a log with its lines; colours go, other control characters become visible."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return visible(_ANSI.sub("", text), keep="\n\t")


def plain_tree(value: Any) -> Any:
    """Apply `plain` to every string of a JSON value or of a dataclass, keys included."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dict):
        return {plain(key): plain_tree(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(plain_tree, value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return type(value)(**plain_tree(vars(value)))
    return value


def shorten(text: str, length: int = 32) -> str:
    """Return at most `length` characters; what is cut from the middle becomes an ellipsis."""
    if len(text) <= length:
        return text
    tail = length // 3
    return f"{text[: length - tail - 1]}…{text[len(text) - tail :]}"


def short_names(names: list[str], length: int = 28) -> dict[str, str]:
    """Shorten every name; names that would look alike keep the part in which they differ."""
    short = {name: shorten(name, length) for name in names}
    for text in set(short.values()):
        alike = [name for name in names if short[name] == text]
        if len(alike) > 1:
            start = max(0, _first_difference(alike) - 2)
            head = length // 3
            for name in alike:
                short[name] = f"{name[:head]}…{shorten(name[start:], length - head - 1)}"
    for i, name in enumerate(names):
        if list(short.values()).index(short[name]) < i:
            short[name] = f"{short[name][: length - 4]} #{i + 1}"
    return short


def _first_difference(names: list[str]) -> int:
    """Count the characters with which all names begin."""
    pairs = enumerate(zip(*names, strict=False))
    return next((i for i, chars in pairs if len(set(chars)) > 1), min(map(len, names)))


def slug(*parts: str) -> str:
    """Return a file name, without suffix, of letters, digits, dots and hyphens."""
    words = [re.sub(r"[^a-z0-9.]+", "-", part.lower()).strip("-.")[:60] for part in parts]
    return "-".join(word or "unnamed" for word in words)


def unique_slugs(names: list[str]) -> dict[str, str]:
    """Return one slug per name; names that would share one get a number."""
    slugs: dict[str, str] = {}
    for name in names:
        candidate, n = slug(name), 2
        while candidate in slugs.values():
            candidate, n = f"{slug(name)}-{n}", n + 1
        slugs[name] = candidate
    return slugs


def listed(names: list[str], limit: int = 6) -> str:
    """Return ``a, b and c``; beyond `limit` names, the first of them and how many more."""
    if len(names) > limit:
        return f"{', '.join(names[: limit - 1])} and {len(names) - limit + 1} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else ""


def counted(number: int, noun: str) -> str:
    """Return ``1 dataset``, ``2 datasets``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
