from pathlib import Path

import anndata
import numpy as np
import pytest
import torch
from impbench_plugins.zipo import Zipo, ZipoZinb
from impbench_plugins.zipo.network import ZipoNetwork
from scipy import stats

from impbench import Context, Observed
from impbench.errors import InputError
from impbench.testing.example import example_counts

INPUTS = Path(__file__).parents[2] / "data" / "inputs"
SMALL = {"encoder": (64, 32, 16)}
BOTH = pytest.mark.parametrize("kind", [Zipo, ZipoZinb])


@pytest.fixture(scope="module")
def tiny():
    return Observed.from_counts(np.random.default_rng(0).negative_binomial(1, 0.2, (30, 12)))


@pytest.fixture(scope="module")
def rare():
    return Observed.from_counts(anndata.read_h5ad(INPUTS / "small_rare.h5ad").X.toarray())


def constant_model(counts):
    """Log-likelihood of cells that differ in library size alone."""
    mean = counts.sum(1, keepdims=True) * counts.sum(0) / counts.sum()
    return stats.poisson.logpmf(counts, mean).sum(1).mean()


def test_published_settings_explain_the_counts_far_better_than_a_constant_model(rare):
    imputed = Zipo(epochs=15).impute(rare, Context())
    assert imputed.info["log_likelihood"] > 0.6 * constant_model(rare.counts)
    assert imputed.embedding.shape == (200, 128)


@pytest.mark.parametrize(
    ("imputer", "level"),
    [
        (Zipo(**SMALL, input="log"), 1.0),
        (ZipoZinb(**SMALL, input="log", alpha_l=0.0), 1.0),
        # With the paper's penalty, library sizes are the observed ones, which dropout has lowered.
        (ZipoZinb(**SMALL, input="log"), 0.7),
    ],
    ids=lambda value: getattr(value, "spec", value),
)
def test_recovers_rates_and_dropout_of_data_that_follow_the_model(imputer, level):
    rng = np.random.default_rng(0)
    shares, library = rng.dirichlet(np.full(30, 2.0), 2), rng.integers(1000, 4000, 300)
    means = shares[np.arange(300) % 2] * library[:, None]
    counts = np.where(rng.random(means.shape) < 0.3, 0, rng.poisson(means))
    imputed = imputer.impute(Observed.from_counts(counts), Context())
    assert imputed.info["zero_inflation"] == pytest.approx(0.3, abs=0.03)
    assert imputed.expression.sum() / means.sum() == pytest.approx(level, abs=0.1)
    if level == 1:
        found = np.stack([imputed.expression[i::2].sum(0) for i in (0, 1)])
        found /= found.sum(1, keepdims=True)
        # Total variation distance; the shares of all cells together are 0.15 away.
        assert (np.abs(found - shares).sum(1) / 2 < 0.06).all()


@BOTH
def test_returns_rates_latents_and_facts(tiny, kind):
    done = []
    context = Context(on_progress=lambda *step: done.append(step))
    imputed = kind(**SMALL, epochs=3).impute(tiny, context)
    imputed.check(tiny)
    assert imputed.scale == "counts"
    assert (imputed.expression > 0).all()
    assert imputed.embedding.shape == (30, 16)
    assert imputed.info["epochs"] == 3
    assert 0 < imputed.info["zero_inflation"] < 1
    assert imputed.info["build_bound"] is True
    assert done == [(1, 3), (2, 3), (3, 3)]


def test_weights_of_the_best_epoch_stand(tiny):
    losses = [
        Zipo(**SMALL, epochs=n, learning_rate=0.3).impute(tiny, Context()).info["validation_loss"]
        for n in (1, 5, 20)
    ]
    assert losses == sorted(losses, reverse=True)
    short, long = (
        Zipo(**SMALL, epochs=n, learning_rate=0.3, early_stop=50).impute(tiny, Context())
        for n in (20, 21)
    )
    if long.info["validation_loss"] == short.info["validation_loss"]:
        np.testing.assert_array_equal(long.expression, short.expression)


def test_library_size_starts_at_the_mean_or_near_nothing(tiny):
    mean, zero = (
        Zipo(**SMALL, library_start=start, learning_rate=0.0, final_rate=0.0, epochs=1)
        .impute(tiny, Context())
        .expression.sum(1)
        .mean()
        for start in ("mean", "zero")
    )
    assert 0.3 < mean / tiny.counts.sum(1).mean() < 3
    assert zero < 10


def test_pruning_zeroes_weak_weights_of_the_first_layer(tiny, monkeypatch):
    weights = []
    forward = ZipoNetwork.forward

    def record(network, *inputs):
        weights[:] = [network.first_weights.detach().clone()]
        return forward(network, *inputs)

    monkeypatch.setattr(ZipoNetwork, "forward", record)
    Zipo(**SMALL, epochs=1, prune=0.5).impute(tiny, Context())
    largest = weights[0].abs().amax(1, keepdim=True)
    assert (weights[0] == 0).any(dim=1).all()
    assert torch.logical_or(weights[0] == 0, weights[0].abs() >= 0.5 * largest).all()


def test_stronger_penalty_makes_first_weights_sparser_whatever_their_scale(rare):
    weak, strong = (
        Zipo(encoder=(32, 16), input="log", alpha_w=alpha, epochs=60, early_stop=60)
        .impute(rare, Context())
        .info["sparsity"]
        for alpha in (0.0, 3000.0)
    )
    assert weak < 0.01
    assert strong > 0.2


def test_batches_are_covariates_when_asked_for(tiny):
    batch = ["a", "b", "c"] * 10
    with_batch = Observed.from_counts(tiny.counts, batch=batch)
    asked = Zipo(**SMALL, epochs=2, covariates="batch").impute(with_batch, Context())
    ignored = Zipo(**SMALL, epochs=2).impute(with_batch, Context())
    plain = Zipo(**SMALL, epochs=2).impute(tiny, Context())
    np.testing.assert_array_equal(ignored.expression, plain.expression)
    assert not np.allclose(asked.expression, plain.expression)
    assert asked.embedding.shape == (30, 16)
    with pytest.raises(InputError, match="hold no batches"):
        Zipo(covariates="batch").impute(tiny, Context())


@BOTH
@pytest.mark.parametrize(
    "counts",
    [
        np.array([[3, 0, 1], [2, 5, 0], [0, 0, 2]]),
        np.full((12, 3), 4),
        np.random.default_rng(0).integers(0, 10**6, (25, 6)),
        example_counts(25, 6) * 1_000_000,
        np.ones((5, 1)),
    ],
    ids=["three cells", "constant", "million", "huge", "one gene"],
)
def test_unusual_data_give_finite_rates(kind, counts):
    observed = Observed.from_counts(counts)
    imputed = kind(**SMALL, epochs=30).impute(observed, Context())
    imputed.check(observed)
    assert np.isfinite(imputed.info["log_likelihood"])
    assert np.isfinite(imputed.info["validation_loss"])


@pytest.mark.parametrize("counts", [np.ones((2, 5)), np.zeros((4, 5)), np.zeros((0, 5))])
def test_fewer_than_three_cells_or_no_counts_are_refused(counts):
    with pytest.raises(InputError, match="counts and at least 3 cells"):
        Zipo().impute(Observed.from_counts(counts), Context())


def test_every_parameter_changes_the_result(tiny):
    base = {**SMALL, "epochs": 8}
    default = ZipoZinb(**base).impute(tiny, Context()).expression
    for changed in (
        {"encoder": (64, 16)}, {"residuals": False}, {"library_layers": (8,)}, {"input": "log"},
        {"library_start": "zero"}, {"alpha_z": 50.0}, {"alpha_w": 50.0}, {"alpha_theta": 50.0},
        {"alpha_l": 0.0}, {"prune": 0.5}, {"epochs": 1}, {"batch_size": 10}, {"validation": 0.3},
        {"learning_rate": 0.1}, {"learning_rate": 0.1, "early_stop": 1},
    ):  # fmt: skip
        imputer = ZipoZinb(**{**base, **changed})
        assert not np.array_equal(imputer.impute(tiny, Context()).expression, default), changed
    with pytest.raises(InputError, match="encoder is empty"):
        Zipo(encoder=())
