from pathlib import Path

import anndata
import numpy as np
import pytest
from impbench_plugins import saver
from impbench_plugins.saver import Saver
from impbench_plugins.saver.genes import Genes
from impbench_plugins.saver.posterior import posterior

from impbench.context import Context
from impbench.errors import Cancelled
from impbench.imputer import Observed

pytestmark = pytest.mark.slow

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module", params=["small_rare", "small_batch"])
def imputed(request):
    """Our output for seed 1, brought back to SAVER's normalised scale, and the original's."""
    counts = anndata.read_h5ad(DATA / "inputs" / f"{request.param}.h5ad").X
    observed = Observed.from_counts(counts)
    ours = Saver().impute(observed, Context(seed=1))
    ours.check(observed)
    library_sizes = np.asarray(counts.sum(axis=1)).ravel()
    size_factors = (library_sizes / library_sizes.mean())[:, None]
    original = np.load(DATA / "saver" / f"{request.param}.npz")
    return ours.expression / size_factors, ours.std / size_factors, ours.info, original


@pytest.fixture
def tiny():
    return Observed.from_counts(np.random.default_rng(0).poisson(2, (40, 25)))


def error(ours, original):
    return np.linalg.norm(ours - original) / np.linalg.norm(original)


def test_estimate_and_deviation_equal_the_originals_to_1e_6(imputed):
    estimate, std, _, original = imputed
    # Both are rounded up to 3 decimals, so an entry may differ by one unit of the last.
    assert error(estimate, original["estimate"]) < 1e-6
    assert error(std, original["std"]) < 1e-6
    assert np.abs(estimate - original["estimate"]).max() < 1.1e-3


def test_as_many_genes_as_in_the_original_are_predicted(imputed):
    info, original = imputed[2:]
    assert info["predicted_genes"] == (original["chosen"] > 0).sum()


@pytest.mark.parametrize("name", ["small_rare", "small_batch"])
def test_largest_correlations_are_the_originals_to_1e_6(name):
    counts = anndata.read_h5ad(DATA / "inputs" / f"{name}.h5ad").X.toarray().astype(np.float64)
    genes = Genes.of(counts)
    correlation = [genes.largest_correlation(gene) for gene in range(counts.shape[1])]
    original = np.load(DATA / "saver" / f"{name}.npz")["correlation"]
    np.testing.assert_allclose(correlation, original, atol=1e-6)


def test_seed_changes_the_folds_and_little_else(tiny):
    first, second = (Saver().impute(tiny, Context(seed=seed)).expression for seed in (1, 2))
    assert (first != second).any()
    assert error(first, second) < 0.1


@pytest.mark.parametrize("shape", [(0, 4), (1, 4), (3, 4), (7, 4), (30, 1), (30, 2)])
def test_few_cells_and_few_genes_are_imputed(shape):
    counts = np.random.default_rng(3).poisson(3, shape)
    observed = Observed.from_counts(counts)
    imputed = Saver().impute(observed, Context())
    imputed.check(observed)
    assert (imputed.expression >= 0).all()


def test_counts_in_millions_and_a_constant_gene_stay_finite():
    random = np.random.default_rng(4)
    counts = random.negative_binomial(1, 1e-6, (30, 6))
    counts[:, 2] = 5
    observed = Observed.from_counts(counts)
    imputed = Saver().impute(observed, Context())
    imputed.check(observed)
    np.testing.assert_allclose(imputed.expression[:, 0], counts[:, 0], rtol=1e-2)


def test_null_model_predicts_nothing(tiny):
    imputed = Saver(null_model=True).impute(tiny, Context())
    library_sizes = tiny.counts.sum(axis=1)
    normalised = tiny.counts / (library_sizes / library_sizes.mean())[:, None]
    estimate = imputed.expression / (library_sizes / library_sizes.mean())[:, None]
    # Shrunk towards the gene's mean, so between it and the observed value.
    low = np.minimum(normalised, normalised.mean(axis=0))
    high = np.maximum(normalised, normalised.mean(axis=0))
    assert (estimate >= low - 1e-4).all()
    assert (estimate <= high + 2e-3).all()


def test_progress_ends_at_the_number_of_genes(tiny):
    seen = []
    Saver().impute(tiny, Context(on_progress=lambda *step: seen.append(step)))
    assert seen == [(done, 25) for done in range(1, 26)]


def test_cancelling_leaves_the_waiting_genes_alone(tiny, monkeypatch):
    imputed = []

    def count(counts, *rest):
        imputed.append(counts)
        return posterior(counts, *rest)

    def cancel(done, total):
        raise Cancelled("enough")

    monkeypatch.setattr(saver, "posterior", count)
    many = Observed.from_counts(np.tile(tiny.counts, (1, 20)))
    with pytest.raises(Cancelled):
        Saver(null_model=True).impute(many, Context(threads=2, on_progress=cancel))
    assert len(imputed) < many.n_genes
