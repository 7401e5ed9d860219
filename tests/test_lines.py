"""Every key and item is found on its line, however the file is written."""

from __future__ import annotations

import json
import tomllib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from impbench.lines import KeyPath, Lines, json_lines, toml_lines

TEXTS = st.sampled_from(["", "a", "[x]", "k = 1", "# no", '"', "'", '""', "}", "a,b", "\\", "é"])
NAMES = st.sampled_from(["a", "b", "c-d", "1", "1.5", "", "x y", "#", "[q]", '"', "a=b", "é"])
SCALARS = (
    TEXTS | st.sampled_from(["two\nlines\n[t]\n"]) | st.sampled_from([0, -7, 1.5, 1e300, True])
)
TREES = st.dictionaries(
    NAMES,
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


class Writer:
    """Writes a tree in a style drawn at each place, and remembers the line of each place."""

    def __init__(self, draw: Any) -> None:
        self.draw, self.text, self.lines = draw, "", Lines()

    def choose(self, *options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def put(self, *words: str) -> None:
        for word in words:
            self.text += word

    def note(self, path: KeyPath) -> None:
        self.lines.setdefault(path, self.text.count("\n") + 1)

    def gap(self) -> None:
        """Between statements, and between the items of a TOML list."""
        self.put(self.choose("", "\n", " \n\t", "# [c] = {'\"\n", "\n# ,]\n"))

    def inline(self, value: Any, path: KeyPath, toml: bool) -> None:
        if isinstance(value, list):
            self.put("[")
            for i, item in enumerate(value):
                self.between(toml)
                self.note((*path, i))
                self.inline(item, (*path, i), toml)
                self.between(toml)
                last = i == len(value) - 1
                self.put("" if last and not (toml and self.choose(True, False)) else ",")
            self.between(toml)
            self.put("]")
        elif isinstance(value, dict):
            self.put("{")
            for i, (name, item) in enumerate(value.items()):
                self.put(", " if i else "")
                self.between(toml, in_table=True)
                self.note((*path, name))
                self.put(key(name, toml))
                self.between(toml, in_table=True)
                self.put(" = " if toml else ":")
                self.between(toml, in_table=True)
                self.inline(item, (*path, name), toml)
            self.put("}")
        elif toml and isinstance(value, str):
            self.put(self.choose(*ways(value)))
        else:
            self.put(json.dumps(value))

    def between(self, toml: bool, in_table: bool = False) -> None:
        if not toml:
            self.put(self.choose("", " ", "\n", "\r\n  "))
        elif not in_table:
            self.gap()

    def table(self, table: dict[str, Any], path: KeyPath, names: list[str]) -> None:
        """Write keys with values first, then what has a header of its own."""
        later = []
        for name, item in table.items():
            self.gap()
            if self.text and not self.text.endswith("\n"):
                self.put("\n")
            tables = isinstance(item, list) and item and all(isinstance(i, dict) for i in item)
            if (isinstance(item, dict) or tables) and self.choose(True, False):
                later.append((name, item))
            elif isinstance(item, dict) and item and self.choose(True, False):
                for inner, value in item.items():
                    self.note((*path, name))
                    self.note((*path, name, inner))
                    self.put(key(name), self.choose(".", " . "), key(inner), " = ")
                    self.inline(value, (*path, name, inner), toml=True)
                    self.put("\n")
            else:
                self.note((*path, name))
                self.put(key(name), "=")
                self.inline(item, (*path, name), toml=True)
                self.put(self.choose("\n", " # end ]\n"))
        for name, item in later:
            header = ".".join(map(key, [*names, name]))
            for i, inner in enumerate(item) if isinstance(item, list) else [(None, item)]:
                here = (*path, name) if i is None else (*path, name, i)
                self.gap()
                if self.text and not self.text.endswith("\n"):
                    self.put("\n")
                self.note((*path, name))
                self.note(here)
                self.put(f"[{header}]\n" if i is None else f"[[{header}]] # next\n")
                self.table(inner, here, [*names, name])


def key(name: str, toml: bool = True) -> str:
    bare = toml and name and all(c.isascii() and (c.isalnum() or c in "-_") for c in name)
    return name if bare else json.dumps(name)


def ways(text: str) -> list[str]:
    """Every way in which TOML can write a text."""
    multiline = text.replace("\\", "\\\\").replace('"""', '""\\"')
    found = [json.dumps(text), f'"""\n{multiline}"""']
    if not {"'", "\n"} & set(text):
        found.append(f"'{text}'")
    return [*found, f"'''\n{text}'''"]


@settings(max_examples=200, deadline=None)
@given(TREES, st.data(), st.booleans())
def test_toml_of_any_style(tree: dict[str, Any], data: Any, windows: bool) -> None:
    writer = Writer(data.draw)
    writer.table(tree, (), [])
    text = writer.text.replace("\n", "\r\n") if windows else writer.text
    assert tomllib.loads(text) == tree, "the writer must be right for its lines to mean anything"
    assert toml_lines(text) == writer.lines


@settings(max_examples=200, deadline=None)
@given(TREES, st.data())
def test_json_of_any_style(tree: dict[str, Any], data: Any) -> None:
    writer = Writer(data.draw)
    writer.note(())
    writer.inline(tree, (), toml=False)
    assert json.loads(writer.text) == tree
    assert json_lines(writer.text) == writer.lines


def test_values_that_hold_signs_of_the_language() -> None:
    text = (
        "a = 1979-05-27 07:32:00.5 # b = 1\nb = [ 1.5e3, 07:32:00,\n0x1F ]\n"
        "\"c\\u0064\".e = ''''x''''\nf='1'"
    )
    assert toml_lines(text) == {
        ("a",): 1,
        ("b",): 2,
        ("b", 0): 2,
        ("b", 1): 2,
        ("b", 2): 3,
        ("cd",): 4,
        ("cd", "e"): 4,
        ("f",): 5,
    }


def test_table_within_the_last_item_of_an_array() -> None:
    text = "[[q]]\n[q.s]\nu=1\n[[q]]\nu=2\n[[q.s]]\nv=3\n[[q.s]]\n[q.s.t.w]\n"
    assert tomllib.loads(text)["q"][1]["s"][1] == {"t": {"w": {}}}
    assert toml_lines(text) == {
        ("q",): 1,
        ("q", 0): 1,
        ("q", 0, "s"): 2,
        ("q", 0, "s", "u"): 3,
        ("q", 1): 4,
        ("q", 1, "u"): 5,
        ("q", 1, "s"): 6,
        ("q", 1, "s", 0): 6,
        ("q", 1, "s", 0, "v"): 7,
        ("q", 1, "s", 1): 8,
        ("q", 1, "s", 1, "t"): 9,
        ("q", 1, "s", 1, "t", "w"): 9,
    }


def test_of_a_key_that_stands_twice_the_last_is_read_and_found() -> None:
    text = '{"a": 1,\n"b": 2,\n"a": [\n3]}'
    assert json.loads(text)["a"] == [3]
    assert json_lines(text) == {(): 1, ("a",): 3, ("b",): 2, ("a", 0): 4}


def test_nesting_that_the_parser_can_follow_is_followed() -> None:
    text = "[\n" * 900 + "]" * 900
    json.loads(text)
    assert json_lines(text)[(0,) * 899] == 900
