"""Baselines and rules that anyone may have written, their digests made to fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strangers import EXAMPLES, each_place, fuzz, outcome, spoilings, texts

from impbench.errors import ImpbenchError
from impbench.regress.baseline import _digest, read_baseline, to_json
from impbench.regress.check import check as hold
from impbench.regress.measured import ComparedMetric, Measured, Runtime, Sample, ScoreKey
from impbench.regress.output import markdown, terminal_text
from impbench.regress.rules import Rules, read_floors

pytestmark = pytest.mark.slow

MEASURED = Measured(
    scoring="1",
    suite="s",
    impbench="0.1",
    datasets={"d": "f"},
    imputers={"magic": "1", "no-imputation": "1"},
    metrics={"ari": ComparedMetric("max", True)},
    scores={
        ScoreKey("d", "p", name, "ari"): Sample({1: 0.5, 2: 0.6}, {3: "failed"}, name == "magic")
        for name in ("magic", "no-imputation")
    },
    runtimes={
        ("d", name): Runtime({1: 1.0, 2: 2.0}, "cpu", 1, name == "no-imputation")
        for name in ("magic", "no-imputation")
    },
)
CONTENT = {key: value for key, value in json.loads(to_json(MEASURED)).items() if key != "digest"}


def signed(content: Any) -> bytes:
    """Write with the digest that fits: a digest keeps out accidents, not strangers."""
    try:
        whole = {**content, "digest": _digest(content)}
    except (UnicodeEncodeError, TypeError):
        whole = content
    return json.dumps(whole).encode()


def read(path: Path) -> str:
    """Hold the run against the stranger's baseline and print the result."""
    base = read_baseline(path)
    found = hold(base, MEASURED)
    shown = terminal_text(found, "run", str(path))
    markdown(found, "run", str(path))
    assert "\x1b" not in shown
    assert "\x9b" not in shown
    return shown


def test_baselines_of_strangers(tmp_path: Path) -> None:
    seen = []
    path = tmp_path / "strange.json"
    path.write_bytes(signed(CONTENT))
    assert "pass" in read(path)
    whole = signed(CONTENT)
    raw = st.sampled_from(
        [b"[" * 10**5, b'{"format":' * 10**4, b"null", b"9" * 5000, b'{"format": 1}']
    )
    documents = st.one_of(
        *[spoilings(CONTENT).map(signed)] * 4,
        st.integers(0, len(whole)).map(lambda length: whole[:length]),
        raw,
        st.binary(max_size=30),
    )

    @fuzz("baselines")
    @given(documents)
    def check(content: bytes) -> None:
        path.write_bytes(content)
        seen.append(outcome(lambda: read(path), tmp_path))

    check()
    assert len(seen) >= EXAMPLES["baselines"]
    for tree in each_place(CONTENT):
        path.write_bytes(signed(tree))
        seen.append(outcome(lambda: read(path), tmp_path))
    refused = [str(item) for item in seen if isinstance(item, ImpbenchError)]
    assert sum(str(path) in text for text in refused) > len(refused) / 2


def test_rules_of_strangers(tmp_path: Path) -> None:
    seen = []
    numbers = st.floats() | st.sampled_from([0, -1, 10**400])

    @fuzz("rules")
    @given(st.lists(texts() | texts().map("ari={}".format), max_size=2), numbers, numbers)
    def check(floors: list[str], alpha: float, slowdown: float) -> None:
        def judge() -> str:
            rules = Rules(alpha, read_floors(floors, ["ari"]), max_slowdown=slowdown)
            return terminal_text(hold(MEASURED, MEASURED, rules), "run", "base")

        seen.append(outcome(judge, tmp_path))

    check()
    assert len(seen) >= EXAMPLES["rules"]
