"""Find the line on which each key and each item of a TOML or JSON file stands.

Parsers give lines only for what they cannot parse; these functions are for text that they could.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

KeyPath = tuple[str | int, ...]
"""Where a value stands: names of keys, and numbers of items from 0."""

Lines = dict[KeyPath, int]
"""Path → line, from 1."""


def json_lines(text: str) -> Lines:
    """Return the line of each key and item of valid JSON; of a key that stands twice, the last."""
    lines: Lines = {}
    _value(_tokens(text), _Open((), in_list=True), lines, json.loads)
    return {path[1:]: line for path, line in lines.items()}


def toml_lines(text: str) -> Lines:
    """Return the line of each key, table and item of valid TOML."""
    lines: Lines = {}
    lengths: dict[KeyPath, int] = {}  # of arrays of tables
    table: KeyPath = ()
    for statement in _statements(text):
        token, line = statement[0]
        if token == "[":
            names = [_toml_key(word) for word, _ in statement if word not in {"[", "]", "."}]
            table = _enter(names, statement[1][0] == "[", line, lines, lengths)
        else:
            _value(iter(statement), _Open(table, in_list=False), lines, _toml_key)
    return lines


_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?""""{0,2}'  # up to two quotes more belong to the text
    r"|'''.*?''''{0,2}"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'"
    r"|\#[^\n]*"
    r"|[\[\]{}=:,.\n]"
    r"""|[^\s\[\]{}=:,.\#"']+""",
    re.DOTALL,
)
"""Of TOML, and of JSON, whose tokens are TOML's but for the colon."""


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    """Yield each token but comments, with its line."""
    line = 1
    for match in _TOKEN.finditer(text):
        token = match.group()
        if not token.startswith("#"):
            yield token, line
        line += token.count("\n")


def _statements(text: str) -> Iterator[list[tuple[str, int]]]:
    """Yield the tokens of each header and of each key with its value; lines end within brackets."""
    statement: list[tuple[str, int]] = []
    depth = 0
    for token, line in _tokens(text):
        if token != "\n":
            statement.append((token, line))
            depth += (token in {"[", "{"}) - (token in {"]", "}"})
        elif statement and depth == 0:
            yield statement
            statement = []
    if statement:
        yield statement


def _toml_key(token: str) -> str:
    (key,) = tomllib.loads(f"{token} = 0")
    return key


def _enter(
    names: list[str], is_item: bool, line: int, lines: Lines, lengths: dict[KeyPath, int]
) -> KeyPath:
    """Return the path of the table that a header names, and note its line."""
    path: KeyPath = ()
    for name in names[:-1]:
        path = (*path, name)
        lines.setdefault(path, line)
        if path in lengths:
            path = (*path, lengths[path] - 1)
    path = (*path, names[-1])
    if not is_item:
        lines[path] = line
        return path
    lines.setdefault(path, line)
    path = (*path, lengths.setdefault(path, 0))
    lengths[path[:-1]] += 1
    lines[path] = line
    return path


@dataclass
class _Open:
    """A list or table that is being read."""

    path: KeyPath
    in_list: bool
    n: int = 0
    """Items before this one."""
    keys: list[tuple[str, int]] = field(default_factory=list)
    """Of a dotted key, each with its line."""
    here: KeyPath | None = None
    """Path of the value that has begun."""


def _value(
    tokens: Iterator[tuple[str, int]], outermost: _Open, lines: Lines, key: Callable[[str], str]
) -> None:
    """Note the keys and items in the tokens; a stack, as a file may nest deeper than calls may."""
    stack = [outermost]
    for token, line in tokens:
        now = stack[-1]
        if token == "\n":
            continue
        if token in {"]", "}"}:
            stack.pop()
        elif token == ",":
            now.n, now.keys, now.here = now.n + 1, [], None
        elif not now.in_list and now.here is None:
            if token in {"=", ":"}:
                now.here = now.path
                for name, named_on in now.keys:
                    now.here = (*now.here, name)
                    lines.setdefault(now.here, named_on)
                lines[now.here] = now.keys[0][1]
            elif token != ".":
                now.keys.append((key(token), line))
        else:
            if now.here is None:
                now.here = (*now.path, now.n)
                lines[now.here] = line
            if token in {"[", "{"}:
                stack.append(_Open(now.here, in_list=token == "["))
