"""Preparation: which genes stay, which library sizes count, and what is on record."""

import sys

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from impbench import scale
from impbench.data.dataset import Dataset
from impbench.data.genes import expressed_in, highly_variable
from impbench.data.prepare import prepare
from impbench.errors import InputError, UnavailableError

N_CELLS, N_GENES = 80, 300
VARIABLE = np.arange(0, N_GENES, 20)
"""Genes expressed ninefold in the second half of the cells, of the same mean as before."""


def dataset(store=sp.csr_matrix):
    rng = np.random.default_rng(3)
    mean = np.tile(rng.uniform(2, 20, N_GENES), (N_CELLS, 1))
    mean[: N_CELLS // 2, VARIABLE] *= 0.2
    mean[N_CELLS // 2 :, VARIABLE] *= 1.8
    counts = rng.poisson(mean).astype(np.float32)
    counts[2:, 7] = 0  # seen in two cells at most
    return Dataset(
        name="toy",
        counts=store(counts),
        gene_names=tuple(f"g{i}" for i in range(N_GENES)),
        cell_names=tuple(f"c{i}" for i in range(N_CELLS)),
        library_size=counts.sum(axis=1, dtype=np.float64),
        labels=np.array(["a", "b"]).repeat(N_CELLS // 2),
        true_counts=store(counts + 1),
        genes=pd.DataFrame({"number": range(N_GENES)}),
        steps=("made up",),
    )


@pytest.mark.parametrize("method", ["scran", "dispersion"])
@pytest.mark.parametrize("store", [sp.csr_matrix, np.asarray])
def test_genes_that_differ_between_groups_are_found(method, store):
    data = dataset(store)
    chosen = highly_variable(data.counts, data.library_size, len(VARIABLE), method)
    assert len(chosen) == len(VARIABLE)
    assert len(np.intersect1d(chosen, VARIABLE)) >= 0.8 * len(VARIABLE)


def test_seurat_v3_finds_them_too_or_says_how_to_install_what_it_needs(monkeypatch):
    data = dataset()
    monkeypatch.setitem(sys.modules, "skmisc", None)
    monkeypatch.setitem(sys.modules, "skmisc.loess", None)
    with pytest.raises(UnavailableError, match="pip install scikit-misc"):
        highly_variable(data.counts, data.library_size, 30, "seurat_v3")


def test_seurat_v3_finds_them_where_scikit_misc_is_installed():
    pytest.importorskip("skmisc")
    data = dataset()
    chosen = highly_variable(data.counts, data.library_size, len(VARIABLE), "seurat_v3")
    assert len(np.intersect1d(chosen, VARIABLE)) >= 0.9 * len(VARIABLE)


def test_permuting_cells_changes_no_choice():
    data = dataset()
    order = np.random.default_rng(0).permutation(N_CELLS)
    first = highly_variable(data.counts, data.library_size, 40, "scran")
    second = highly_variable(data.counts[order], data.library_size[order], 40, "scran")
    np.testing.assert_array_equal(first, second)


def test_every_part_of_the_dataset_keeps_the_same_genes():
    ready = prepare(dataset(), genes=50)
    kept = ready.genes["number"].to_numpy()
    assert ready.n_genes == 50
    assert ready.gene_names == tuple(f"g{i}" for i in kept)
    np.testing.assert_array_equal(ready.counts.toarray(), dataset().counts.toarray()[:, kept])
    np.testing.assert_array_equal(ready.true_counts.toarray(), ready.counts.toarray() + 1)


def test_library_sizes_stay_those_over_all_genes():
    ready = prepare(dataset(), genes=50)
    np.testing.assert_array_equal(ready.library_size, dataset().library_size)


def test_rarely_seen_genes_go_and_each_step_is_on_record():
    ready = prepare(dataset(), genes=50)
    assert "g7" not in ready.gene_names
    assert ready.steps == (
        "made up",
        "dropped 1 of 300 genes with counts in < 3 cells (0 of them in none)",
        "kept the 50 most variable of 299 genes (scran)",
    )


def test_fewer_genes_than_asked_for_are_all_kept_and_that_is_on_record():
    ready = prepare(dataset(), genes=1000)
    assert ready.n_genes == 299
    assert ready.steps[-1] == "kept all 299 genes, no more than the 1000 asked for"


@pytest.mark.parametrize("options", [{"genes": 0}, {"method": "none"}])
def test_all_genes_are_kept_on_demand(options):
    assert prepare(dataset(), **options).n_genes == 299


def test_cells_silent_in_the_kept_genes_stay_and_are_on_record():
    data = dataset(np.asarray)
    data.counts[5, VARIABLE] = 0
    ready = prepare(data, genes=3)
    assert set(ready.gene_names) <= {f"g{i}" for i in VARIABLE}
    assert ready.n_cells == N_CELLS
    assert ready.steps[-1] == "1 cell without counts in the kept genes left in place"


def test_cells_are_counted_by_their_counts_not_by_stored_zeros():
    stored = sp.csr_matrix((np.array([0.0, 1.0, 2.0]), ([0, 0, 1], [0, 1, 1])), shape=(2, 2))
    np.testing.assert_array_equal(expressed_in(stored), [0, 2])


def test_nothing_but_empty_cells_is_an_error():
    data = dataset()
    empty = Dataset("empty", data.counts * 0, data.gene_names, data.cell_names, np.zeros(N_CELLS))
    with pytest.raises(InputError, match="every cell is empty"):
        prepare(empty)


def test_two_cells_cannot_rank_genes():
    data = dataset()
    with pytest.raises(InputError, match="too few to rank genes"):
        highly_variable(data.counts[:2], data.library_size[:2], 10, "scran")


def tied():
    """Counts in which 30 genes are the same, so that they tie, and 9 are never seen."""
    rng = np.random.default_rng(5)
    counts = rng.poisson(rng.uniform(1, 20, N_GENES), (N_CELLS, N_GENES)).astype(np.float32)
    counts[:, 100:130] = (counts[:, 100] * rng.integers(0, 6, N_CELLS))[:, None]
    counts[:, 290:299] = 0
    return counts, counts.sum(axis=1, dtype=np.float64)


def test_scran_keeps_genes_above_its_trend_alone_and_fills_up_on_request():
    import scranpy

    counts, depth = tied()
    logs = scale.lognorm(counts, scale.size_factors(depth)).astype(np.float64)
    model = scranpy.model_gene_variances(logs.T)["statistics"]
    above = np.flatnonzero(model["residual"] > 0)
    assert 30 < len(above) < 200
    chosen = highly_variable(counts, depth, 250, "scran")
    np.testing.assert_array_equal(chosen, above)
    filled = highly_variable(counts, depth, 250, "scran_fill")
    assert len(filled) == 250
    assert set(above) <= set(filled)
    assert not set(filled) & set(range(290, 299))  # never seen
    tie = model["residual"][100]
    assert tie > 0
    better = int((model["residual"] > tie).sum())
    best = highly_variable(counts, depth, better + 4, "scran")
    assert [gene for gene in best if 100 <= gene < 130] == [100, 101, 102, 103]


def test_fewer_genes_above_the_trend_are_said(caplog):
    counts, depth = tied()
    names = tuple(f"g{i}" for i in range(N_GENES)), tuple(f"c{i}" for i in range(N_CELLS))
    ready = prepare(Dataset("toy", counts, *names, depth), genes=250)
    said = f"kept the {ready.n_genes} of 291 genes that lie above scran's trend, although 250"
    assert ready.steps[-1].startswith(said)
    assert said in caplog.text
    filled = prepare(Dataset("toy", counts, *names, depth), genes=250, method="scran_fill")
    assert filled.n_genes == 250


def test_shallow_counts_are_refused_with_the_way_on():
    counts = np.random.default_rng(0).poisson(0.02, (300, 100)).astype(np.float32)
    counts[0] += 1
    with pytest.raises(InputError, match=r"too shallow.*--genes 0 .*hvg=none"):
        highly_variable(counts, np.full(300, 2.0), 10, "scran")
