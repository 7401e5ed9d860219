"""What the typed manifest makes of new, old and strange ones."""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import impbench
from impbench.errors import InputError
from impbench.plan.suite import Question, Suite
from impbench.results.manifest import FORMULA, NOTHING, AboutImputer, RunManifest
from impbench.runner.secret import Secret
from impbench.runner.settings import Settings

BEFORE = Path(__file__).with_name("manifest_without_roles.json")
"""Of a run of the default suite, written before imputers had roles."""


def unnamed(tree: Any, kind: Any, where: str = "") -> list[str]:
    """Keys of a stored tree that its type does not name."""
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        found = [f"{where}.{key}" for key in tree if key not in hints]
        known = [key for key in tree if key in hints]
        return found + [
            text for key in known for text in unnamed(tree[key], hints[key], f"{where}.{key}")
        ]
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    inside = tree.values() if origin is Mapping else tree if origin is tuple else ()
    return [text for item in inside for text in unnamed(item, args[-1 if origin is Mapping else 0])]


def test_the_type_names_everything_that_a_run_writes(tmp_path: Path) -> None:
    question = Question(("sim_equal[n_cells=40,n_genes=60]",), ("simulated-truth", "masking"))
    suite = Suite("all", "all", "", (question,), (), 1, True)
    settings = Settings(jobs=2, threads=1, timeout=60)
    impbench.run(suite, tmp_path, report=False, settings=settings, secret=Secret.draw())
    assert unnamed(json.loads((tmp_path / "manifest.json").read_text()), RunManifest) == []


def test_a_manifest_of_before_reads_and_tells_what_our_controls_were_for() -> None:
    data = BEFORE.read_bytes()
    assert b'"role"' not in data
    manifest = RunManifest.from_json(data)
    assert unnamed(json.loads(data), RunManifest) == []
    roles = {spec: manifest.imputer(spec).role for spec in manifest.imputers}
    assert {spec: role for spec, role in roles.items() if role} == {
        "no-imputation": NOTHING,
        "maskclass-prior": FORMULA,
    }
    assert manifest.environment.timeout == 3600
    assert len(manifest.keys) == 96


def test_unknown_keys_are_passed_over_and_absent_ones_have_defaults() -> None:
    data = b'{"new": [1], "suite": {"name": "s", "new": {}}, "environment": {"new": null}}'
    manifest = RunManifest.from_json(data)
    assert manifest.suite.name == "s"
    assert (manifest.scoring, manifest.keys, manifest.environment.cores) == ("1", (), None)
    # Nothing said of an imputer: its name tells.
    assert manifest.imputer("oracle").needs_truth
    assert manifest.imputer("permuted").is_control
    assert not manifest.imputer("magic").is_control


def test_an_imputer_of_a_stranger_is_no_control_whatever_its_name() -> None:
    said = {"permuted": {"is_control": False}, "maskclass-prior": {"is_control": False}}
    manifest = RunManifest.from_json(json.dumps({"imputers": said}).encode())
    assert manifest.imputer("permuted") == AboutImputer()
    assert manifest.imputer("maskclass-prior").role == ""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"keys": ["../x"]}, "no key of a record"),
        ({"datasets": None}, "datasets"),
        ({"datasets": {"d": {"n_cells": 2**63}}}, "n_cells"),
        ({"seeds": ["1"]}, "seeds"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(content: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=rf"m\.json is not as impbench writes it.*{message}"):
        RunManifest.from_json(json.dumps(content).encode(), "m.json")
