"""Suites, dataset cards and manifests of programs that anyone may have written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strangers import EXAMPLES, each_place, fuzz, outcome, spoilings, texts

from impbench.data.card import Card, read_card
from impbench.data.catalogue import card_source
from impbench.errors import ImpbenchError
from impbench.external.manifest import imputer_class
from impbench.plan.plan import make_plan
from impbench.plan.suite import read_suite
from impbench.registry import registry

pytestmark = pytest.mark.slow

SUITE = {
    "title": "Title",
    "description": "Text",
    "imputers": ["no-imputation", "gene-mean"],
    "seeds": 2,
    "controls": True,
    "timeout": 60.0,
    "own_data": ["clustering"],
    "question": [{"datasets": ["sim_equal[n_cells=500]"], "protocols": ["clustering"]}],
}
CARD = {
    "name": "strange",
    "title": "Title",
    "organism": "mouse",
    "layout": "h5ad",
    "labels_from": "sorted",
    "cells": 10,
    "drop_values": ["none"],
    "markers": [{"gene": "Cd3e", "label": "T"}],
    "files": [{"url": "https://example.org/a.h5ad", "sha256": "00", "name": "a.h5ad"}],
}
PROGRAM = {
    "name": "strange",
    "summary": "Text",
    "command": ["cat", "{input}", "{output}", "{k}"],
    "scale": "counts",
    "stochastic": False,
    "parameters": {"k": {"default": 3, "help": "Text", "min": 1, "max": 9, "choices": [3, 4]}},
}

RAW = (
    "x = " + "[" * 5000,
    "x = " + "9" * 5000,
    "x = " + "{a=" * 3000,
    "a." * 3000 + "b = 1",
    "\x00",
    "x = 1979-99-99",
    '"" = 1',
    "[[question]]\n[question]",
    "\ufeffname = 'strange'",
    "x = 0x" + "f" * 5000,
    "x = inf\ny = nan",
    'x = "\\ud800"',
    "<<<<<<< HEAD\n",
)


def toml(value: Any) -> str:
    """Write a value inline; what TOML cannot hold is written as Python would, and is an error."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name(key)} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return str(value) if value is None or isinstance(value, float) else json.dumps(value)


def name(key: str) -> str:
    return json.dumps(key, ensure_ascii=False)


def written(tree: dict[str, Any]) -> str:
    return "\n".join(f"{name(key)} = {toml(item)}" for key, item in tree.items())


def documents(good: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """A good document with places spoilt, or cut short, or with bytes of any kind."""
    whole = written(good)
    spoilt = spoilings(good).map(written)
    joined = st.tuples(st.just(whole), st.sampled_from(RAW) | texts()).map("\n".join)
    cut = st.integers(0, len(whole)).map(lambda length: whole[:length])
    chosen = st.one_of(spoilt, spoilt, spoilt, joined, cut, st.sampled_from(RAW)).map(
        lambda text: text.encode("utf-8", "surrogatepass")
    )
    return chosen | st.binary(max_size=50)


def resolve_suite(path: Path) -> Any:
    suite = read_suite(path)
    plan = make_plan(suite, registry())
    assert all(job.seed >= 1 for job in plan.jobs()[:10])
    return suite


def read_source(path: Path) -> Card:
    card = read_card(path)
    source = card_source(card)
    assert source.name == "strange"
    for file in card.files:
        assert Path(file.filename).name == file.filename, "would be written elsewhere"
    return card


def make_imputer(path: Path) -> Any:
    made = imputer_class(path, __name__)
    assert made.name
    assert made.describe() is not None
    return made()


@pytest.mark.parametrize(
    ("kind", "good", "read"),
    [
        ("suites", SUITE, resolve_suite),
        ("cards", CARD, read_source),
        ("program manifests", PROGRAM, make_imputer),
    ],
)
def test_toml_of_strangers(
    kind: str, good: dict[str, Any], read: Callable[[Path], Any], tmp_path: Path
) -> None:
    registry()
    path = tmp_path / "strange.toml"
    path.write_text(written(good), encoding="utf-8")
    assert read(path), "the good one must be read"
    results = []

    @fuzz(kind)
    @given(documents(good))
    def check(content: bytes) -> None:
        path.write_bytes(content)
        # Names that a suite gives are looked up after it was read, in the whole registry.
        results.append(outcome(lambda: read(path), tmp_path))

    check()
    for tree in each_place(good):
        path.write_bytes(written(tree).encode("utf-8", "surrogatepass"))
        results.append(outcome(lambda: read(path), tmp_path))
    assert len(results) >= EXAMPLES[kind]
    refused = [str(item) for item in results if isinstance(item, ImpbenchError)]
    assert sum(str(path) in text for text in refused) > len(results) / 2
