"""Every imputer that comes with impbench passes the conformance suite."""

from __future__ import annotations

import dataclasses

import pytest

from impbench.imputer import Imputer
from impbench.registry import registry
from impbench.testing import parametrize_checks

pytestmark = pytest.mark.slow

QUICK = {"epochs": 2, "n_starts": 2, "k": 5, "steps": 1000, "hidden": 64, "perplexity": 15,
         "n_embeddings": 1, "n_components": 20, "repaired": True, "em_epochs": 2,
         "em_iterations": 2, "cluster_epochs": 1, "pretraining_epochs": 2}  # fmt: skip
"""Promises hold whatever the number of epochs or starts; two of each are quick. ALRA chooses its k
from 100 cells and genes or more, and refuses the example data without it; so does graph-sc, whose
50 components they lack. cnnImpute's t-SNE refuses the example's 60 cells with its published
perplexity. AutoImpute's random start is so wide that its output has no scale before some hundred
steps. SDImpute as published breaks one of the promises; tests/plugins/sdimpute says which."""

FEW_CELLS: dict[str, dict[str, int]] = {"scname": {"batch_size": 20}}
"""The example has 60 cells, too few for the published mini-batch, which must be full."""


def quick(imputer: type[Imputer]) -> str:
    """Name the imputer with these values, where it has such parameters."""
    names = {field.name for field in dataclasses.fields(imputer)}
    few_cells = FEW_CELLS.get(imputer.name, {})
    given = {name: value for name, value in QUICK.items() if name in names}
    return imputer(**given, **few_cells).spec


def first_party() -> list[str]:
    return [
        quick(imputer)
        for imputer in registry().imputers.values()
        if imputer.__module__.startswith("impbench_plugins.")
    ]


@parametrize_checks(first_party())
def test_conformance(imputer: str, check) -> None:  # type: ignore[no-untyped-def]
    check(imputer)


def test_no_plugin_of_ours_is_left_out() -> None:
    assert registry().broken == []
    assert {"magic", "maskclass-best", "maskclass-balanced", "no-imputation"} <= {
        spec.partition("[")[0] for spec in first_party()
    }
