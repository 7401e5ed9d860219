"""One slip has one wording in every kind of file, with the line of the very key."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

import pytest

from impbench.data.card import read_card
from impbench.errors import InputError
from impbench.external.manifest import read_manifest
from impbench.plan.suite import read_suite
from impbench.reading import Document, Rule, parse_json, parse_toml, read_json, read_toml
from impbench.regress.baseline import FORMAT, _digest, read_baseline
from impbench.results.record import Job, Record
from impbench.results.store import Store

SUITE = """\
title = "T"
description = "D"

[[question]]
datasets = ["a"]
protocols = ["b"]

[[question]]
datasets = [
  "a",
  "c",
]
protocols = ["b"]
"""
CARD = """\
name = "x"
title = "T"
organism = "mouse"
layout = "10x-archive"
labels_from = "sorted"

[[files]]
url = "https://example.org/a"
name = "a"

[[files]]
url = "https://example.org/b"
name = "b"
"""
PROGRAM = """\
name = "x"
summary = "S"
command = ["x", "{input}", "{output}", "{k}", "{n}"]
scale = "counts"

[parameters.k]
default = 1
help = "K"

[parameters.n]
default = 1
help = "N"
"""
BASELINE: dict[str, Any] = {
    "format": FORMAT,
    "impbench": "1",
    "scoring": "1",
    "suite": "s",
    "datasets": {"d": "f", "e": "g"},
    "imputers": {"magic": "1"},
    "metrics": {"ari": {"direction": "max", "bounded": True}},
    "scores": {"d[n=5]": {"p": {"magic": {"ari": {"values": {"1": 0.5, "2": 0.6}}}}}},
    "runtimes": {},
}
RECORD = Record("k", Job("d", "p", "magic", {}, 1), "ok", notes=("a", "b")).to_json()
MANIFEST = json.dumps({"problems": [{"dataset": "d"}, {"dataset": "e"}], "keys": []}, indent=1)


def signed(baseline: dict[str, Any]) -> str:
    return json.dumps({**baseline, "digest": _digest(baseline)}, indent=1)


def read_record(path: Path) -> Record:
    return Record.from_json(path.read_bytes(), str(path))


READ: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "x.toml": (SUITE, read_suite),
    "card/x.toml": (CARD, read_card),
    "program/x.toml": (PROGRAM, read_manifest),
    "baseline.json": (signed(BASELINE), read_baseline),
    "k.json": (RECORD, read_record),
    "run/manifest.json": (MANIFEST, lambda path: Store(path.parent).manifest()),
}


def refused(folder: Path, name: str, old: str, new: str) -> tuple[str, str]:
    """Return the changed text and what its reader says of it."""
    good, read = READ[name]
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(good)
    assert read(path)
    assert old in good
    # The last one is changed, so that a search for the key from above would find another.
    text = new.join(good.rsplit(old, 1))
    if name == "baseline.json":
        text = signed({key: item for key, item in json.loads(text).items() if key != "digest"})
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(path) in str(caught.value)
    return text, str(caught.value)


def line_of(text: str, word: str) -> int:
    return text[: text.rindex(word)].count("\n") + 1


@pytest.mark.parametrize(
    ("name", "old", "key"),
    [
        ("x.toml", '"D"', "description"),
        ("card/x.toml", '"b"', "files[1].name"),
        ("program/x.toml", '"N"', "parameters.n.help"),
        ("baseline.json", '"g"', "datasets.e"),
        ("k.json", '"b"', "notes[1]"),
        ("run/manifest.json", '"e"', "problems[1].dataset"),
    ],
)
def test_number_where_text_is_expected(tmp_path: Path, name: str, old: str, key: str) -> None:
    text, message = refused(tmp_path, name, old, "31")
    assert f", line {line_of(text, '31')}: {key} is 31; expected text in quotes" in message


@pytest.mark.parametrize(
    ("name", "old", "key"),
    [
        ("x.toml", "protocols", "question[1].protocls"),
        ("card/x.toml", "url", "files[1].ulr"),
        ("program/x.toml", "help", "parameters.n.halp"),
    ],
)
def test_unknown_key_of_a_file_that_people_write(
    tmp_path: Path, name: str, old: str, key: str
) -> None:
    wrong = key.rpartition(".")[2]
    text, message = refused(tmp_path, name, old, wrong)
    assert f", line {line_of(text, wrong)}: {key} is unknown; did you mean {old}?" in message


@pytest.mark.parametrize(
    ("name", "old", "header", "key"),
    [
        ("x.toml", 'protocols = ["b"]\n', "[[question]]", "question[1].protocols"),
        ("card/x.toml", 'url = "https://example.org/b"\n', "[[files]]", "files[1].url"),
        ("program/x.toml", 'help = "N"\n', "[parameters.n]", "parameters.n.help"),
        ("baseline.json", '"direction": "max",', '"ari": {\n   "bou', "metrics.ari.direction"),
    ],
)
def test_missing_key_is_named_with_the_line_of_its_table(
    tmp_path: Path, name: str, old: str, header: str, key: str
) -> None:
    text, message = refused(tmp_path, name, old, "")
    assert f", line {line_of(text, header)}: {key} is missing; expected " in message


@pytest.mark.parametrize("value", [float("nan"), 1e101, 10**30, True, None, "0.5"])
def test_score_that_is_none_is_refused_though_the_digest_fits(tmp_path: Path, value: Any) -> None:
    path = tmp_path / "b.json"
    scores = {"d": {"p": {"magic": {"ari": {"values": {"1": 0.5, "2": value}}}}}}
    path.write_text(signed({**BASELINE, "scores": scores}))
    with pytest.raises(InputError, match=r'line \d+: scores\.d\.p\.magic\.ari\.values\."2" is '):
        read_baseline(path)


@dataclass(frozen=True)
class Inner:
    number: float
    kind: Literal["a", "b"] = "a"


class Table(TypedDict):
    flag: bool


@dataclass(frozen=True)
class Example:
    """A field of every kind of type."""

    count: int
    inner: Inner | None = None
    many: tuple[Inner, ...] = ()
    pair: tuple[float, str] = (0.0, "")
    by_seed: Mapping[int, list[str]] = field(default_factory=dict)
    table: Table | None = None
    either: int | float | str = 0
    any: Any = None
    few: Annotated[int, Rule("a number below 5", lambda n: n < 5)] = 0

    def __post_init__(self) -> None:
        if self.count == 13:
            raise ValueError("13 brings no luck")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"count": True}, "count is true; expected a whole number"),
        ({"count": 1.5}, "count is 1.5; expected a whole number"),
        ({"count": 2**63}, "count is a number of more than 18 digits; expected a whole number"),
        ({"count": 13}, "is wrong: 13 brings no luck"),
        ({"count": 1, "inner": 5}, "inner is 5; expected a table"),
        ({"count": 1, "inner": {"number": "1"}}, 'inner.number is "1"; expected a number'),
        ({"count": 1, "inner": {"number": 1, "kind": "c"}}, 'is "c"; expected one of "a", "b"'),
        ({"count": 1, "many": {}}, "many is an empty table; expected a list, each item a table"),
        ({"count": 1, "many": [{"number": 1}, {}]}, "many[1].number is missing; expected a number"),
        ({"count": 1, "pair": [1]}, "pair is a list; expected a list of 2"),
        ({"count": 1, "by_seed": {"1": [], "01": []}}, 'by_seed."01" is no whole number; expected'),
        ({"count": 1, "table": {"flag": 1}}, "table.flag is 1; expected true or false"),
        ({"count": 1, "either": True}, "either is true; expected a number or text in quotes"),
        ({"count": 1, "few": 5}, "few is 5; expected a number below 5"),
        ({"count": 1, "few": "x" * 99}, f'few is "{"x" * 59}…; expected a number below 5'),
        ({"count": 1, "a b\n" * 99: 1}, '…" is unknown; known keys: count, inner, '),
        ({"count": 1, "Inner": None}, "Inner is unknown; did you mean inner?"),
        ([], "is an empty list; expected a table"),
    ],
)
def test_what_stands_there_and_what_is_expected(content: Any, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        Document(content, "it").fit(Example)
    assert str(caught.value).startswith("it")
    assert len(str(caught.value)) < 250


def test_what_fits_is_made() -> None:
    content = {
        "count": -3,
        "inner": {"number": 1},
        "many": [{"number": 0.5, "kind": "b"}],
        "pair": [2, "x"],
        "by_seed": {"-1": ["a"], "10": []},
        "table": {"flag": False},
        "either": 3,
        "any": {"deep": [None]},
        "few": 4,
    }
    made = Document(content, "it").fit(Example)
    assert made == Example(
        -3,
        Inner(1.0),
        (Inner(0.5, "b"),),
        (2.0, "x"),
        {-1: ["a"], 10: []},
        {"flag": False},
        3,
        {"deep": [None]},
        4,
    )
    assert (type(made.pair[0]), type(made.either)) == (float, int)
    assert read_json(json.dumps(content).encode(), Example, "it") == made


def test_what_impbench_writes_may_hold_keys_of_a_later_one() -> None:
    assert read_json(b'{"count": 1, "later": [1]}', Example, "it") == Example(1)
    assert read_json(b'{"count": 1, "later": NaN}', Example, "it") == Example(1)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"count": 1', "is not valid JSON: Expecting ',' delimiter: line 1"),
        (b'{\n"count": 1,\n}', "is not valid JSON: .* line 3"),
        (b"", "is not valid JSON: Expecting value: line 1"),
        (b"\xef\xbb\xbf{}", "is not valid JSON: Unexpected UTF-8 BOM"),
        (b'{"count": 1,\n"any": "\xff"}', r"is not valid JSON: byte 0xff .* \(at line 2\)"),
        (b"[" * 10**5, "is not valid JSON: it is nested too deeply"),
        (b'{"count": 1, "any": ' + b"9" * 5000 + b', "pair": 1}', "is not valid JSON: Exceeds the"),
        (b'{\r\n"count": 1,\r\n"inner": 3}', "it, line 3: inner is 3; expected a table"),
        (b'{"count": 1, "inner": 3}', "it: inner is 3; expected a table"),
        (b'{"count": 1,\n"count": 2,\n"count": "3"}', 'it, line 3: count is "3"'),
        (b'{"by_seed": {},\n"any": 1}', "it: count is missing; expected a whole number"),
    ],
)
def test_json_that_is_none_or_does_not_fit(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_json(data, Example, "it")


def test_json_that_only_python_writes_is_read() -> None:
    made = read_json(b'{"count": 1, "any": NaN, "pair": [Infinity, "\\ud800"]}', Example, "it")
    assert made.pair == (float("inf"), "\ud800")
    assert made.any != made.any


def test_remedy_ends_every_message() -> None:
    for data in (b"[", b"\xff", b"[]"):
        with pytest.raises(InputError, match=r"; write it again$"):
            parse_json(data, "it", "write it again").fit(Example)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            b"count = 1\ncount = 2",
            r"is not valid TOML: Cannot overwrite a value \(at line 2, the last\)",
        ),
        (b"count = 1\nany = '\xe9'", r"is not valid TOML: byte 0xe9 .* \(at line 2\)"),
        (b"count = 1\nany = " + b"[" * 10**4, "is not valid TOML: it is nested too deeply$"),
        (b"count = nan", "line 1: count is NaN; expected a whole number"),
        (b"count = 1979-05-27", 'line 1: count is "1979-05-27"; expected a whole number'),
        (b"count = 0x" + b"f" * 5000, "line 1: count is a number of more than 18 digits"),
        (b"\xef\xbb\xbfcount = 1\r\n\r\nfew = 7\r\n", "line 3: few is 7; expected a number below"),
        (b'any = """\ncount = 1"""\ncount = true', "line 3: count is true"),
        (b"count = 1\n[by_seed]\n1 = []\n2 = [\n'a', # 1\n3]", r'line 6: by_seed\."2"\[1\] is 3'),
        (b"count = 1\nmany = [{number=1},\n{number=1}, {number=false}]", r"line 3: many\[2\]\.num"),
        (b"count = 1\n[inner]\nkind = 'a'", r"line 2: inner\.number is missing; expected a number"),
    ],
)
def test_toml_that_is_none_or_does_not_fit(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(data)
    with pytest.raises(InputError, match=message) as caught:
        read_toml(path, Example, "example")
    assert str(caught.value).startswith(f"example {path}")


def test_file_that_begins_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xef\xbb\xbfcount = 1")
    assert read_toml(path, Example, "example") == Example(1)


def test_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    for path in (tmp_path / "absent", tmp_path, Path("a\0b")):
        with pytest.raises(InputError, match=r"^example .* cannot be read: "):
            parse_toml(path, "example")


def test_reading_what_people_write_imports_no_msgspec(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(SUITE)
    code = (
        "import sys; from pathlib import Path; from impbench.plan.suite import read_suite; "
        f"read_suite(Path({str(path)!r})); print('msgspec' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
