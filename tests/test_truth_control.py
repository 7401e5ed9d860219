"""The controls that see the truth: what they impute, where they exist; nobody ranks them."""

from pathlib import Path

import numpy as np
import pytest

import impbench
from impbench.data.simulate import SCENARIOS
from impbench.errors import InputError
from impbench.protocols.protocol import Hidden, Problem
from impbench.protocols.simulated_truth import SimulatedTruth
from impbench.report.analysis.run import make_run
from impbench.report.analysis.tables import order, summarise
from impbench.results.record import SCORING
from impbench.results.store import Store
from impbench.truth_control import ATTAINABLE, ORACLE, TRUTH_CONTROLS


def posed(name: str, library: str, **parameters: float) -> Problem:
    dataset = SCENARIOS[name](n_cells=90, n_genes=60, **parameters).load()
    return SimulatedTruth(library=library).pose(dataset, seed=1)


def plain_constants(problem: Problem) -> np.ndarray:
    """The definition, entry by entry."""
    truth = problem.hidden.truth().expression
    counts = np.asarray(problem.observed.counts)
    labels, batch = problem.hidden.labels, problem.hidden.batch
    filled = np.array(problem.observed.lognorm, dtype=np.float64)
    for i, j in zip(*np.nonzero(counts == 0), strict=True):
        alike = [
            truth[other, j]
            for other in range(len(counts))
            if counts[other, j] == 0
            and labels[other] == labels[i]
            and (batch is None or batch[other] == batch[i])
        ]
        filled[i, j] = np.mean(np.asarray(alike, dtype=np.float64))
    return filled


@pytest.mark.parametrize("library", ["true", "own"])
@pytest.mark.parametrize("name", ["sim_unequal", "sim_batch"])
def test_attainable_is_the_mean_of_the_truth_over_alike_zeros(name: str, library: str) -> None:
    problem = posed(name, library)
    found = ATTAINABLE.impute(problem)
    assert found.scale == "lognorm"
    np.testing.assert_allclose(found.expression, plain_constants(problem), rtol=1e-5, atol=1e-6)
    kept = np.asarray(problem.observed.counts) > 0
    np.testing.assert_array_equal(found.expression[kept], problem.observed.lognorm[kept])


def test_no_other_constant_has_a_smaller_error() -> None:
    problem = posed("sim_batch", "true")
    truth, found = problem.hidden.truth().expression, ATTAINABLE.impute(problem).expression
    zero = np.asarray(problem.observed.counts) == 0
    least = float(np.square(found - truth).sum(dtype=np.float64))
    groups = np.unique(
        np.char.add(problem.hidden.labels, problem.hidden.batch), return_inverse=True
    )[1]
    rng = np.random.default_rng(0)
    for _ in range(20):
        moved = found + np.where(
            zero, rng.normal(0, 0.05, (groups.max() + 1, found.shape[1]))[groups], 0
        )
        assert float(np.square(moved - truth).sum(dtype=np.float64)) > least


def test_they_need_truth_and_attainable_needs_labels() -> None:
    problem = posed("sim_unequal", "own")
    assert ORACLE.exists(problem.hidden)
    assert ATTAINABLE.exists(problem.hidden)
    hidden = problem.hidden
    without = Hidden(hidden.truth_counts, hidden.truth_size_factors)
    assert ORACLE.exists(without)
    assert not ATTAINABLE.exists(without)
    with pytest.raises(InputError, match="needs cell types"):
        ATTAINABLE.impute(Problem(problem.observed, without, ()))
    for control in TRUTH_CONTROLS.values():
        assert not control.exists(Hidden(labels=hidden.labels))
        with pytest.raises(InputError, match="needs a dataset with truth"):
            control.impute(Problem(problem.observed, Hidden(labels=hidden.labels), ()))


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("asked")
    impbench.run(
        "default",
        out=out,
        datasets=["sim_rare[n_cells=60,n_genes=50]"],
        protocols=["simulated-truth", "clustering", "thinning"],
        # Named or not, both run where they exist, once.
        imputers=["no-imputation", "attainable"],
        seeds=2,
    )
    return out


@pytest.mark.slow
def test_a_run_scores_attainable_between_the_truth_and_every_other_control(asked: Path) -> None:
    records = [r for r in Store(asked).read().records if r.job.protocol == "simulated-truth"]
    assert {record.status for record in records} == {"ok"}
    mse = {record.job.imputer: record.scores["mse"] for record in records if record.job.seed == 2}
    assert mse["oracle"] == 0
    others = [value for name, value in mse.items() if name not in TRUTH_CONTROLS]
    assert 0 < mse["attainable"] < min(others)
    problem = SimulatedTruth().pose(SCENARIOS["sim_rare"](n_cells=60, n_genes=50).load(), seed=1)
    expected = np.square(plain_constants(problem) - problem.hidden.truth().expression).mean()
    assert mse["attainable"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_attainable_exists_where_truth_and_labels_do(asked: Path) -> None:
    where = {
        name: {r.job.protocol for r in Store(asked).read().records if r.job.imputer == name}
        for name in TRUTH_CONTROLS
    }
    assert where["attainable"] == {"simulated-truth", "clustering"}
    # What is set aside by thinning is a truth without cell types.
    assert where["oracle"] == {"simulated-truth", "clustering", "thinning"}
    assert Store(asked).manifest().scoring == SCORING
    told = Store(asked).manifest().imputers
    for name in TRUTH_CONTROLS:
        assert told[name].is_control
        assert told[name].needs_truth
        assert told[name].summary == TRUTH_CONTROLS[name].summary


@pytest.mark.slow
def test_who_sees_the_truth_is_never_ranked(asked: Path) -> None:
    run = make_run(Store(asked).read())
    summary = summarise(run)
    ranks = summary.groupby("imputer")["rank"].count()
    assert (ranks[list(TRUTH_CONTROLS)] == 0).all()
    assert (ranks.drop(list(TRUTH_CONTROLS)) > 0).all()
    assert order(run, summary, "simulated-truth")[-2:] == ["attainable", "oracle"]
    assert not set(TRUTH_CONTROLS) & set(run.controls)
    assert not summary["control"].isin(TRUTH_CONTROLS).any()
