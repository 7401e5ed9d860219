from pathlib import Path

import anndata
import numpy as np
import pytest
from impbench_plugins.scmae import Scmae
from impbench_plugins.scmae.training import ScmaeSettings, run
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from impbench import Context, Observed
from impbench.data.genes import highly_variable
from impbench.errors import InputError
from impbench.testing.example import N_GROUPS, example_counts

INPUTS = Path(__file__).parents[2] / "data" / "inputs"


@pytest.fixture(scope="module")
def tiny():
    return Observed.from_counts(np.random.default_rng(0).negative_binomial(1, 0.2, (30, 12)))


@pytest.fixture(scope="module")
def rare():
    return Observed.from_counts(anndata.read_h5ad(INPUTS / "small_rare.h5ad").X.toarray())


def clusters(embedding, k):
    return KMeans(k, n_init=10, random_state=0).fit_predict(embedding)


def test_embedding_tells_cell_types_apart_far_better_than_chance(rare):
    easy = Observed.from_counts(example_counts(120, 80))
    found = clusters(Scmae().impute(easy, Context()).embedding, N_GROUPS)
    assert adjusted_rand_score(np.arange(120) % N_GROUPS, found) > 0.8
    labels = anndata.read_h5ad(INPUTS / "small_rare.h5ad").obs["cell_type"].to_numpy()
    found = clusters(Scmae().impute(rare, Context()).embedding, len(np.unique(labels)))
    chance = [
        adjusted_rand_score(np.random.default_rng(seed).permutation(labels), found)
        for seed in range(10)
    ]
    assert adjusted_rand_score(labels, found) > 0.15 > max(chance)


def test_expression_is_the_decoder_on_clean_cells_brought_back_to_logs(tiny):
    mean, sd = tiny.lognorm.mean(0), tiny.lognorm.std(0, ddof=1)
    cells = np.arange(tiny.n_cells)
    fit = run((tiny.lognorm - mean) / sd, cells, ScmaeSettings(epochs=4), 3, lambda *_: None)
    imputed = Scmae(epochs=4).impute(tiny, Context(seed=3))
    assert imputed.scale == "lognorm"
    expected = np.maximum(fit.reconstruction * sd + mean, 0)
    np.testing.assert_allclose(imputed.expression, expected, atol=1e-4)
    np.testing.assert_allclose(imputed.embedding, fit.embedding, atol=1e-4)


def test_training_brings_the_reconstruction_to_the_observed_values(rare):
    part = Observed.from_counts(rare.counts[:100, :100])
    errors = [
        np.mean((Scmae(epochs=n).impute(part, Context()).expression - part.lognorm) ** 2)
        for n in (1, 81, 150)
    ]
    assert errors[2] < 0.8 * errors[1] < 0.8 * errors[0]


def test_genes_that_are_not_highly_variable_come_back_as_observed(rare):
    imputed = Scmae(n_hvg=50, epochs=2).impute(rare, Context())
    seen = highly_variable(rare.counts, rare.size_factors, 50, "dispersion")
    rest = np.setdiff1d(np.arange(rare.n_genes), seen)
    np.testing.assert_array_equal(imputed.expression[:, rest], rare.lognorm[:, rest])
    assert (imputed.expression[:, seen] != rare.lognorm[:, seen]).any(axis=0).all()
    assert imputed.info["genes_seen"] == 50
    assert Scmae(n_hvg=None, epochs=1).impute(rare, Context()).info["genes_seen"] == rare.n_genes


def test_silent_genes_and_cells_take_no_part(tiny):
    counts = np.insert(np.insert(tiny.counts, 4, 0, axis=1), 7, 0, axis=0)
    observed = Observed.from_counts(counts, np.insert(tiny.size_factors, 7, 1.0))
    imputed = Scmae(epochs=6).impute(observed, Context())
    imputed.check(observed)
    assert not imputed.expression[:, 4].any()
    assert not imputed.expression[7].any()
    alone = Scmae(epochs=6).impute(tiny, Context())
    rest = np.delete(np.delete(imputed.expression, 4, axis=1), 7, axis=0)
    np.testing.assert_allclose(rest, alone.expression, atol=1e-5)
    np.testing.assert_allclose(np.delete(imputed.embedding, 7, axis=0), alone.embedding, atol=1e-5)


def test_counts_that_are_not_whole_are_rounded_up(tiny):
    part = np.random.default_rng(1).uniform(0, 0.9, tiny.counts.shape)
    fractions = Observed.from_counts(np.maximum(tiny.counts - part, 0), tiny.size_factors)
    whole = Observed.from_counts(np.ceil(fractions.counts), tiny.size_factors)
    one, other = (Scmae(epochs=3).impute(data, Context()) for data in (fractions, whole))
    np.testing.assert_array_equal(one.embedding, other.embedding)


@pytest.mark.parametrize(
    "counts", [np.eye(1, 5), np.zeros((4, 5)), np.zeros((0, 5)), np.eye(4) * [1, 0, 0, 0]]
)
def test_fewer_than_two_cells_with_counts_are_refused(counts):
    with pytest.raises(InputError, match="at least 2 cells with counts"):
        Scmae().impute(Observed.from_counts(counts, np.ones(len(counts))), Context())


def test_every_parameter_changes_the_result(tiny):
    default = Scmae(epochs=5).impute(tiny, Context()).expression
    for changed in (
        {"n_hvg": 6}, {"p_mask": 0.2}, {"shuffle": "genes"}, {"target": "drawn"},
        {"mask_loss": "masked"}, {"mask_input": "probabilities"}, {"masked_weight": 0.5},
        {"mask_loss_weight": 0.3}, {"hidden": 64}, {"latent": 32}, {"epochs": 4},
        {"batch_size": 10}, {"learning_rate": 1e-2},
        {"few_cells": "untrained"},
    ):  # fmt: skip
        imputer = Scmae(**{"epochs": 5, **changed})
        assert not np.array_equal(imputer.impute(tiny, Context()).expression, default), changed
