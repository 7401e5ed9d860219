"""What msgspec decodes fast, and what names the place of a fault, take and refuse the same."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

import msgspec
from hypothesis import given
from strangers import each_place, fuzz, spoilings

from impbench.errors import InputError
from impbench.reading import Document


class Table(TypedDict):
    flag: bool
    name: str


@dataclass(frozen=True)
class Inner:
    number: float
    kind: Literal["a", "b"] = "a"
    score: float | None = None


@dataclass(frozen=True)
class Everything:
    count: int
    inner: Inner
    many: tuple[Inner, ...]
    pair: tuple[float, str]
    by_seed: Mapping[int, list[str]]
    table: Table
    either: int | float | str
    any: Any
    perhaps: dict[str, Inner] | None


GOOD: Any = {
    "count": 3,
    "inner": {"number": 1, "kind": "b", "score": None},
    "many": [{"number": 1.5, "kind": "a", "score": 2}],
    "pair": [0.5, "x"],
    "by_seed": {"1": ["a", "b"], "-20": []},
    "table": {"flag": True, "name": "n"},
    "either": 1,
    "any": {"x": [1]},
    "perhaps": {"p": {"number": 0}},
}


def agree(tree: Any) -> bool:
    """Compare both, and return whether they took the tree."""
    text = json.dumps(tree)
    try:
        fast = msgspec.json.decode(text, type=Everything)
    except (msgspec.MsgspecError, ValueError) as error:
        fast = error
    try:
        exact: Any = Document(json.loads(text), "it").fit(Everything, strict=False)
    except (InputError, ValueError) as error:
        exact = error
    if isinstance(exact, Exception):
        assert isinstance(fast, Exception) or beyond(tree), (tree, fast, exact)
    elif isinstance(fast, Exception):
        # Python alone takes these for JSON.
        assert any(sign in text for sign in ("NaN", "Infinity", "\\ud", "e+", "0" * 20)), (
            tree,
            fast,
        )
    else:
        assert fast == exact, tree
        assert repr(fast) == repr(exact)
    return not isinstance(exact, Exception)


def beyond(tree: Any) -> bool:
    """Whether there is a number, or a number as a name, that no table could hold."""
    return re.search(r"[0-9]{19}", json.dumps(tree)) is not None


def test_fast_and_exact_reading_agree() -> None:
    assert agree(GOOD)
    taken = [agree(tree) for tree in each_place(GOOD)]

    @fuzz("descriptions")
    @given(spoilings(GOOD))
    def check(tree: Any) -> None:
        taken.append(agree(tree))

    check()
    assert min(sum(taken), len(taken) - sum(taken)) > 100
