import numpy as np
import pytest
from impbench_plugins.originals.randomly import RandomlyOriginal

from impbench import Context, Observed
from impbench.errors import InputError
from impbench.runner.separate_process import ImputationError, impute_apart


def _two_groups():
    rng = np.random.default_rng(0)
    means = rng.gamma(2, 2, (2, 120))
    return rng.poisson(np.repeat(means, 40, axis=0))


def test_gives_only_an_embedding():
    assert RandomlyOriginal.gives == ("embedding",)


def test_a_single_cell_with_counts_is_refused():
    counts = np.zeros((4, 5), dtype=int)
    counts[2] = 1
    with pytest.raises(InputError, match="at least 2 cells with counts; got 1"):
        RandomlyOriginal().impute(Observed.from_counts(counts), Context())


def test_groups_lie_apart_and_empty_cells_in_the_origin_where_its_environment_is_built(needs_built):
    needs_built(RandomlyOriginal)
    counts = np.vstack([_two_groups(), np.zeros((2, 120), dtype=int)])
    observed = Observed.from_counts(counts)
    imputed = impute_apart(RandomlyOriginal(), observed, Context()).imputed
    imputed.check(observed)
    assert imputed.expression is None
    first = imputed.embedding[:, 0]
    assert imputed.embedding.shape == (82, imputed.info["n_signals"])
    assert first[:40].max() < first[40:80].min() or first[:40].min() > first[40:80].max()
    assert not imputed.embedding[80:].any()


def test_seed_and_parameters_where_its_environment_is_built(needs_built):
    needs_built(RandomlyOriginal)
    observed = Observed.from_counts(_two_groups())
    first, again = (
        impute_apart(RandomlyOriginal(refined=True), observed, Context(seed=1)).imputed.embedding
        for _ in range(2)
    )
    assert np.array_equal(first, again)
    plane = impute_apart(RandomlyOriginal(n_comp=2, fdr=0.1), observed, Context()).imputed
    assert plane.embedding.shape == (80, 2)


def test_pure_noise_is_refused_where_its_environment_is_built(needs_built):
    needs_built(RandomlyOriginal)
    observed = Observed.from_counts(np.random.default_rng(0).poisson(5, (10, 100)))
    with pytest.raises(ImputationError, match="stands out from a random matrix"):
        impute_apart(RandomlyOriginal(), observed, Context())
