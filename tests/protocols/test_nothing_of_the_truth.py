"""By default nothing that the truth or the labels determine reaches the imputer, K apart."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from impbench.data.dataset import Dataset
from impbench.data.simulate import SCENARIOS
from impbench.plan.plan import make_plan
from impbench.plan.suite import read_suite
from impbench.protocols.protocol import Problem, Protocol
from impbench.registry import registry
from impbench.worker.exchange import observed_hash

HANDS_OUT_TRUTH = {"maskclass-paper", "runtime-scaling"}
"""Suites that repeat a paper's numbers, which were made with true library sizes."""


@pytest.fixture(scope="module")
def simulated() -> Dataset:
    plain = SCENARIOS["sim_batch"](n_cells=60, n_genes=60).load()
    # As if two kinds of cells had been mixed, and every second cell were a technical control.
    first = np.resize([0.0, 0.5, 1.0], 60)
    known = {
        "proportion_a": first,
        "proportion_b": 1 - first,
        "technical": np.arange(60) % 2 == 1,
    }
    return dataclasses.replace(plain, cells=pd.DataFrame(known, index=plain.cell_names))


def known() -> list[Protocol]:
    """Every protocol as it is by default, and with each value of a choice it offers."""
    specs = [*registry().protocols, "calibration[truth=simulated]", "masking[genes=half]"]
    return [registry().protocol(spec) for spec in specs]


def shown(problem: Problem) -> list[str]:
    """All that a worker will read."""
    return [
        observed_hash(problem.observed),
        *(observed_hash(again.observed) for again in problem.again.values()),
    ]


@pytest.mark.parametrize("protocol", known(), ids=lambda protocol: protocol.spec)
def test_other_truth_and_other_labels_show_the_imputer_the_same(
    simulated: Dataset, protocol: Protocol
) -> None:
    rng = np.random.default_rng(1)
    true = np.asarray(simulated.true_counts)
    hidden = np.asarray(simulated.counts) == 0
    other = dataclasses.replace(
        simulated,
        true_counts=np.where(hidden, 3 * true[rng.permutation(len(true))] + 1, true),
        labels=rng.permutation(np.asarray(simulated.labels)),
    )
    assert other.true_library_size is not None
    assert not np.array_equal(other.true_library_size, simulated.true_library_size)
    assert protocol.obstacle(simulated) is None
    assert shown(protocol.pose(simulated, seed=1)) == shown(protocol.pose(other, seed=1))


def test_true_library_sizes_are_handed_out_only_on_request_and_that_is_said(
    simulated: Dataset,
) -> None:
    with_choice = [protocol for protocol in known() if "library" in protocol.parameters()]
    assert len(with_choice) >= 6
    for protocol in with_choice:
        assert protocol.parameters()["library"] == "own"
        if protocol.parameters().get("truth") == "thinned":
            continue
        asked = dataclasses.replace(protocol, library="true")  # type: ignore[call-arg]
        problem, usual = asked.pose(simulated, seed=1), protocol.pose(simulated, seed=1)
        assert "the imputer is handed these, a part of the truth" in problem.conventions[0]
        assert "each divided by their own library sizes" in usual.conventions[0]
        assert shown(problem) != shown(usual)


def test_only_suites_that_repeat_such_numbers_hand_out_truth_and_they_say_so() -> None:
    handing = set()
    for name, path in registry().suites.items():
        suite = read_suite(path)
        asked = make_plan(suite, registry()).asked
        if any(item.protocol.parameters().get("library") == "true" for item in asked):
            handing.add(name)
            assert re.search("true library sizes.* a part of the truth", suite.description), name
    assert handing == HANDS_OUT_TRUTH
