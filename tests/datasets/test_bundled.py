"""The bundled PBMC come back as the integers they were, without any network."""

import anndata
import numpy as np
import pytest
import scipy.sparse as sp

from impbench.data.bundled import pbmc68k_path, read_pbmc68k_reduced, recover_counts
from impbench.errors import InputError
from impbench.registry import registry


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning", "ignore::FutureWarning")
def test_bundled_counts_are_the_integers_that_give_the_stored_logs():
    dataset = read_pbmc68k_reduced()
    file = anndata.read_h5ad(pbmc68k_path())
    stored = file.raw.X.toarray()
    counts = dataset.counts.toarray()
    assert counts.shape == (700, 765)
    np.testing.assert_array_equal(counts, np.rint(counts))
    logs = np.log1p(1e4 * counts / dataset.library_size[:, None])
    np.testing.assert_allclose(logs, stored, atol=6e-4)
    np.testing.assert_array_equal(counts > 0, stored > 0)
    assert dataset.labels.tolist() == file.obs["bulk_labels"].tolist()
    assert dataset.library_size.tolist() == file.obs["n_counts"].tolist()
    assert dataset.gene_names == tuple(file.raw.var_names)
    assert dataset.cell_names == tuple(file.obs_names)


def test_bundled_library_sizes_cover_more_than_the_kept_genes():
    dataset = read_pbmc68k_reduced()
    assert (dataset.library_size > dataset.counts.sum(axis=1).A1).all()
    assert dataset.n_groups == 10
    assert dataset.counts_are_raw


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning", "ignore::FutureWarning")
def test_file_written_anew_by_a_later_scanpy_gives_the_same(tmp_path, monkeypatch):
    known, path = read_pbmc68k_reduced(), tmp_path / "anew.h5ad"
    anndata.read_h5ad(pbmc68k_path()).write_h5ad(path)
    monkeypatch.setattr("impbench.data.bundled.pbmc68k_path", lambda: path)
    assert read_pbmc68k_reduced().fingerprint == known.fingerprint


def test_file_laid_out_otherwise_is_refused_by_name(tmp_path, monkeypatch):
    path = tmp_path / "other.h5ad"
    anndata.AnnData(np.eye(3, dtype=np.float32)).write_h5ad(path)
    monkeypatch.setattr("impbench.data.bundled.pbmc68k_path", lambda: path)
    with pytest.raises(InputError, match=r"other\.h5ad is not laid out as expected"):
        read_pbmc68k_reduced()


def test_default_spec_gives_all_genes_and_its_own_name():
    dataset = registry().dataset("pbmc68k-reduced").load()
    assert dataset.name == "pbmc68k-reduced"
    assert (dataset.n_cells, dataset.n_genes) == (700, 765)
    fewer = registry().dataset("pbmc68k-reduced[genes=200]").load()
    assert fewer.name == "pbmc68k-reduced[genes=200]"
    assert fewer.n_genes == 200
    np.testing.assert_array_equal(fewer.library_size, dataset.library_size)


def test_logs_of_non_integers_are_refused_naming_the_cell():
    counts = np.array([[1.0, 0.0], [2.5, 3.0]])
    totals = np.array([1000.0, 2000.0])
    logs = sp.csr_matrix(np.round(np.log1p(1e4 * counts / totals[:, None]), 3))
    with pytest.raises(InputError, match=r"cell 1, gene 0: 2\.5"):
        recover_counts(logs, totals, "x.h5ad")


def test_counts_too_large_for_the_stored_precision_are_refused():
    counts = np.array([[3000.0]])
    logs = sp.csr_matrix(np.round(np.log1p(1e4 * counts / 5000.0), 3))
    with pytest.raises(InputError, match="not logs of integer counts"):
        recover_counts(logs, np.array([5000.0]), "x.h5ad")
