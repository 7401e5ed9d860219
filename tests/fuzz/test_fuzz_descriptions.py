"""Descriptions of plugins: whoever wrote the plugin may have written what is told of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from strangers import EXAMPLES, each_place, fuzz, outcome, spoilings

from impbench.description import read_plugin, tell_imputer
from impbench.registry import registry
from impbench.stand_in import stand_in

TUPLE: Any = {
    "name": "layers",
    "type": ["union", ["tuple", "int", "..."], ["literal", "auto", 3], "none"],
    "default": [128, 64],
    "help": "Many.",
    "symbol": None,
    "min": 1,
    "max": None,
}
TOLD: Any = {
    "imputers": [{**tell_imputer(registry().imputers["magic"]), "checks_itself": False}],
    "parts": [{"kind": "metrics", "name": "mine", "summary": "Mine", "path": "", "offers": {}}],
    "broken": [{"reason": "No licence", "details": ""}],
}
TOLD["imputers"][0]["parameters"][1:] = [TUPLE]


def read(told: Any) -> int:
    """Make every class that is told of, and an imputer of each, as a plan does."""
    # What arrives has been JSON.
    plugin = read_plugin(json.loads(json.dumps(told)))
    for imputer in plugin["imputers"]:
        made = stand_in(imputer)
        made.describe()
        assert isinstance(made().spec, str)
        assert json.dumps(made().parameters())
        assert made.unavailable() is None or isinstance(made.unavailable(), str)
    return len(plugin["imputers"])


def test_descriptions_of_strangers(tmp_path: Path) -> None:
    seen = []
    assert read(TOLD) == 1

    @fuzz("descriptions")
    @given(spoilings(TOLD))
    def check(told: Any) -> None:
        seen.append(outcome(lambda: read(told), tmp_path))

    check()
    assert len(seen) >= EXAMPLES["descriptions"]


@pytest.mark.slow
def test_descriptions_with_every_place_spoilt(tmp_path: Path) -> None:
    n = 0
    for told in each_place(TOLD):
        outcome(lambda told=told: read(told), tmp_path)
        n += 1
    assert n > 3000
