"""Write control and invisible characters as escapes, so that text cannot steer a terminal."""

from __future__ import annotations

import unicodedata

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn"}


def visible(text: str, keep: str = "\n\t") -> str:
    r"""Write every control, format and unassigned character by its number, such as ``\x1b``.

    Parameters
    ----------
    keep
        Control characters that stay as they are.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char if char in keep or unicodedata.category(char) not in _HIDDEN else _escape(char)
        for char in text
    )


def _escape(char: str) -> str:
    number = ord(char)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


def escape(text: str) -> str:
    """Return `text` for rich to print as it stands: nothing in it colours, moves or clears."""
    from rich.markup import escape as without_markup

    return without_markup(visible(text))
