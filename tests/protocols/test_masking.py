"""Nothing under the mask can be seen, and what comes back is scored as it was."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from impbench.data.dataset import Dataset
from impbench.errors import InputError
from impbench.imputer import Imputed
from impbench.metrics.masked import masked_nmse, masked_pearson, masked_rmse
from impbench.protocols.masking import Masking
from impbench.protocols.protocol import Problem

CNNIMPUTE = Masking(genes="half", scale="ln-cpm")


def pair(protocol: Masking, problem: Problem, imputed: Imputed) -> tuple[np.ndarray, np.ndarray]:
    evidence = protocol.evidence(problem, imputed, seed=1)
    return evidence["masked_imputed"](), evidence["masked_truth"]()


@settings(max_examples=20, deadline=None)
@given(fraction=st.floats(0.02, 0.9), seed=st.integers(0, 100))
def test_that_share_of_non_zeros_is_hidden_and_the_rest_is_as_it_was(cells, fraction, seed):
    problem = Masking(fraction=fraction).pose(cells, seed)
    seen, masked = problem.observed.counts, problem.hidden.extra["masked_counts"].toarray()
    assert np.count_nonzero(masked) == round(fraction * np.count_nonzero(cells.counts))
    np.testing.assert_array_equal(seen + masked, cells.counts)
    assert not (seen[masked > 0]).any()


@pytest.mark.parametrize("protocol", [Masking(fraction=0.4), CNNIMPUTE])
def test_what_is_seen_does_not_depend_on_the_counts_under_the_mask(cells, protocol):
    problem = protocol.pose(cells, seed=1)
    masked = problem.hidden.extra["masked_counts"].toarray()
    shown = [int(name[1:]) for name in problem.observed.gene_names]
    # Other counts where the mask lies, and library sizes that follow.
    changed = cells.counts.copy()
    changed[:, shown] += 7 * (masked > 0)
    library = cells.library_size + (changed - cells.counts).sum(axis=1)
    other = protocol.pose(
        dataclasses.replace(cells, counts=changed, library_size=library), seed=1
    ).observed
    np.testing.assert_array_equal(other.counts, problem.observed.counts)
    np.testing.assert_array_equal(other.size_factors, problem.observed.size_factors)


def test_masked_zeros_are_stored_like_any_other_zero(cells):
    sparse = dataclasses.replace(cells, counts=sp.csr_matrix(cells.counts))
    seen = Masking(fraction=0.5).pose(sparse, seed=1).observed.counts
    assert seen.nnz == np.count_nonzero(seen.toarray())
    dense = Masking(fraction=0.5).pose(cells, seed=1).observed.counts
    np.testing.assert_array_equal(seen.toarray(), dense)


@pytest.mark.parametrize("protocol", [Masking(fraction=0.3), CNNIMPUTE])
def test_oracle_has_no_error_and_zeros_have_an_nmse_of_one(cells, protocol):
    problem = protocol.pose(cells, seed=1)
    back, truth = pair(protocol, problem, problem.hidden.truth())
    assert masked_rmse(back, truth) < 1e-5
    assert masked_pearson(back, truth) == pytest.approx(1)
    nothing = Imputed(problem.observed.lognorm, "lognorm")
    assert masked_nmse(*pair(protocol, problem, nothing)) == 1


def test_counts_and_their_logs_score_the_same(cells):
    problem = Masking(fraction=0.3).pose(cells, seed=1)
    guess = np.random.default_rng(0).random(problem.observed.counts.shape) * 9
    as_counts = Imputed(guess, "counts")
    as_logs = Imputed(as_counts.lognorm(problem.observed), "lognorm")
    for one, other in zip(
        pair(Masking(), problem, as_counts), pair(Masking(), problem, as_logs), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_truth_is_on_the_scale_of_the_whole_library(cells):
    problem = Masking(fraction=0.3).pose(cells, seed=1)
    masked = problem.hidden.extra["masked_counts"].toarray()
    where = np.nonzero(masked)
    factors = cells.library_size / np.median(cells.library_size)
    expected = np.log2(1 + cells.counts[where] / factors[where[0]])
    truth = pair(Masking(), problem, problem.hidden.truth())[1]
    np.testing.assert_allclose(truth, expected, rtol=1e-12)

    problem = Masking(fraction=0.3, scale="ln-cpm").pose(cells, seed=1)
    per_million = 1e6 * cells.counts[where] / cells.library_size[where[0]]
    truth = pair(Masking(scale="ln-cpm"), problem, problem.hidden.truth())[1]
    np.testing.assert_allclose(truth, np.log1p(per_million), rtol=1e-12)


def test_half_keeps_genes_of_half_the_cells_and_cells_with_any_of_them(cells):
    counts = cells.counts.copy()
    counts[:, 0] = np.arange(60) % 2  # exactly half
    counts[:, 1] = np.arange(60) < 29  # one cell less
    counts[4] = 0
    counts[4, 1] = 1
    problem = CNNIMPUTE.pose(dataclasses.replace(cells, counts=counts), seed=1)
    assert "g0" in problem.observed.gene_names
    assert "g1" not in problem.observed.gene_names
    assert problem.observed.n_cells == 59
    assert problem.metrics == ("masked-mse", "masked-pearson")


def test_mask_follows_both_seeds(cells):
    def mask(protocol: Masking, seed: int) -> list[int]:
        return protocol.pose(cells, seed).hidden.extra["masked_counts"].indices.tolist()

    assert mask(Masking(), 1) == mask(Masking(), 1)
    assert mask(Masking(), 1) != mask(Masking(), 2)
    assert mask(Masking(), 1) != mask(Masking(mask_seed=2), 1)


def test_too_few_genes_or_counts_are_an_obstacle(cells):
    rare: Dataset = dataclasses.replace(cells, counts=np.eye(60, 40, dtype=int))
    assert "0 genes that are expressed in at least half" in CNNIMPUTE.obstacle(rare)
    assert Masking().obstacle(rare) is None
    assert "40 non-zero counts, too few" in Masking(fraction=0.01).obstacle(rare)
    with pytest.raises(InputError, match=r"fraction=0\.99 must be"):
        Masking(fraction=0.99)
