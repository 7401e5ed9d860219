"""Specs such as ``magic[t=5]`` with anything between, before and behind the brackets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strangers import EXAMPLES, NASTY, fuzz, outcome, texts

from impbench.errors import ImpbenchError
from impbench.parameters import split_specs
from impbench.registry import registry

KINDS = ("imputer", "dataset", "protocol")
VALUES = (
    *(
        "5",
        "-1",
        "1e999",
        "nan",
        "inf",
        "9" * 5000,
        "[" * 3000,
        "{a=" * 3000,
        '"open',
        "'q'",
        "none",
    ),
    *("true", "True", "[1, 2]", "[[1]]", "1979-05-27", "5\nother = 6", "0x10", "1_000", "{}", "''"),
    *("\\", '"\\ud800"', "\u0661", "__import__('os')"),
    *NASTY,
)


def specs(names: list[str], parameters: list[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(
        st.sampled_from(parameters) | texts(),
        st.sampled_from(["=", "=", "=", "", "=="]),
        st.sampled_from(VALUES) | texts(),
    ).map("".join)
    pairs = st.lists(pair, max_size=3).map(",".join)
    brackets = st.sampled_from([("[", "]")] * 6 + [("[", ""), ("", "]"), ("[[", "]]"), ("]", "[")])
    return st.tuples(st.sampled_from(names) | texts(), brackets, pairs).map(
        lambda parts: f"{parts[0]}{parts[1][0]}{parts[2]}{parts[1][1]}"
    )


@pytest.fixture(scope="module")
def names() -> list[str]:
    known = registry()
    return [*known.imputers, *known.datasets, *known.protocols]


def test_specs_of_strangers(names: list[str], tmp_path: Path) -> None:
    known = registry()
    offered = {
        item.name
        for table in (known.imputers, known.datasets, known.protocols)
        for kind in table.values()
        for item in kind.describe()
    }
    built: list[Any] = []

    @fuzz("specs")
    @given(specs(names, sorted(offered)), st.sampled_from(KINDS))
    def check(spec: str, kind: str) -> None:
        def build() -> Any:
            for part in split_specs(spec):
                made = getattr(known, kind)(part)
                # What was understood can be said again, and means the same.
                assert getattr(known, kind)(made.spec) == made or kind == "dataset"
            return spec

        built.append(outcome(build, tmp_path))

    check()
    assert len(built) >= EXAMPLES["specs"]
    assert any(isinstance(item, ImpbenchError) for item in built)
