import numpy as np
import pytest
from impbench_plugins.originals.dewakss import DewakssOriginal

from impbench import Context, Observed
from impbench.errors import InputError


@pytest.mark.slow
def test_values_as_measured(on_small_rare):
    # The three seeds gave 5.001, 6.732 and 0.103, to the last bit.
    first, other = (on_small_rare(DewakssOriginal(), seed) for seed in (1, 2))
    assert first.mse == pytest.approx([5.0, 6.73, 0.103], rel=0.05)
    assert (first.values == other.values).all()
    assert first.info == {"n_pcs": 142, "n_neighbors": 17}
    assert first.values.min() == 0
    assert first.filled == pytest.approx(0.82, abs=0.02)
    assert not np.isclose(first.values, first.observed.lognorm)[~first.zeros].any()


@pytest.mark.slow
def test_a_cell_without_counts_comes_back_as_zeros_and_each_cell_may_choose(impute_where_built):
    observed = Observed.from_counts(counts())
    asked = DewakssOriginal(n_pcs=(5, 9), n_neighbors=(3, 8), use_global_err=False)
    imputed = impute_where_built(asked, observed)
    assert not imputed.values[3].any()
    assert imputed.values[4].any()
    assert imputed.info == {}


def test_the_grid_is_the_published_one_except_where_that_fails():
    published = [10, 13, 19, 27, 37, 52, 73, 102, 143, 200]
    grid = DewakssOriginal()._components
    assert list(grid(201, 201)) == list(grid(5000, 2000)) == published
    assert max(grid(200, 5000)) == max(grid(5000, 200)) == 199
    assert set(grid(11, 5000)) == {10}


@pytest.mark.parametrize(
    ("wanted", "cells", "reason"),
    [
        ({}, 11, "more genes, and cells with counts, than principal components, 10; got 30 and 10"),
        ({"n_pcs": (5, 30)}, 30, "principal components, 30; got 30 and 29"),
        ({"n_neighbors": (5, 29)}, 30, "n_neighbors=29 must be below the number of cells"),
    ],
)
def test_too_few_cells_or_genes_are_refused(wanted, cells, reason):
    with pytest.raises(InputError, match=reason):
        DewakssOriginal(**wanted).impute(Observed.from_counts(counts()[:cells]), Context())


def counts():
    """30 cells, one of them empty, × 30 genes."""
    drawn = np.random.default_rng(0).poisson(2.0, (30, 30))
    drawn[3] = 0
    return drawn
