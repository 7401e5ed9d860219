"""Fewer cells of a dataset: every type in its proportion, the same ones every time, on record."""

import numpy as np
import pytest
import scipy.sparse as sp

from impbench.data.dataset import Dataset
from impbench.data.prepare import draw_cells, prepare

LABELS = np.array(["common"] * 700 + ["some"] * 250 + ["few"] * 46 + ["rare"] * 4)


def counted(places):
    types, sizes = np.unique(LABELS[places], return_counts=True)
    return dict(zip(types.tolist(), sizes.tolist(), strict=True))


def test_types_keep_their_share_and_the_rarest_does_not_vanish():
    places = draw_cells(LABELS, len(LABELS), 100)
    # 70, 25, 4.6 and 0.4 of a hundred; the rarest keeps three, of which the most common gives two.
    assert counted(places) == {"common": 67, "some": 25, "few": 5, "rare": 3}
    assert len(places) == 100
    assert np.all(np.diff(places) > 0)


def test_the_same_cells_are_drawn_every_time_and_others_with_another_seed():
    once, again = (draw_cells(LABELS, len(LABELS), 100) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once, draw_cells(LABELS, len(LABELS), 100, seed=2))


def test_no_more_cells_than_asked_for_are_all_kept():
    np.testing.assert_array_equal(draw_cells(LABELS, 1000, 1000), np.arange(1000))


def test_without_labels_cells_are_drawn_evenly():
    places = draw_cells(None, 1000, 300)
    assert len(np.unique(places)) == 300
    assert places.mean() == pytest.approx(499.5, abs=40)


@pytest.mark.parametrize("most", [8, 10])
def test_where_every_type_is_rare_each_keeps_three(most):
    labels = np.repeat(["a", "b", "c"], 10)
    _, sizes = np.unique(labels[draw_cells(labels, 30, most)], return_counts=True)
    assert sizes.min() == 3


def test_preparation_draws_before_it_chooses_genes_and_says_so():
    rng = np.random.default_rng(0)
    counts = rng.poisson(2.0, (1000, 30)).astype(np.float32)
    # Seen in cells that are not drawn alone.
    counts[:, 0] = 0
    left_out = np.setdiff1d(np.arange(1000), draw_cells(LABELS, 1000, 100))
    counts[left_out[:50], 0] = 5
    data = Dataset(
        name="toy",
        counts=sp.csr_matrix(counts),
        gene_names=tuple(f"g{i}" for i in range(30)),
        cell_names=tuple(f"c{i}" for i in range(1000)),
        library_size=counts.sum(axis=1, dtype=np.float64),
        labels=LABELS,
    )
    prepared = prepare(data, genes=0, most_cells=100)
    assert prepared.n_cells == 100
    assert "g0" not in prepared.gene_names
    assert "drew 100 of 1000 cells, each type in its proportion" in prepared.steps
    assert prepare(data, genes=0, most_cells=1000).steps == prepare(data, genes=0).steps
