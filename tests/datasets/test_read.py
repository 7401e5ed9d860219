"""A user's own file: which matrix is taken, every format, and every scale turned back."""

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from impbench.apply.layer import lay_out
from impbench.apply.options import Options
from impbench.data.counts import Values, to_counts
from impbench.data.read import FileSource, from_anndata, read_counts_file
from impbench.registry import registry

N_CELLS, N_GENES = 12, 6
COUNTS = np.random.default_rng(1).poisson(3.0, (N_CELLS, N_GENES)).astype(np.float32)
CELLS = [f"cell{i}" for i in range(N_CELLS)]
GENES = [f"Gene{i}" for i in range(N_GENES)]


def toy(x=COUNTS, **more):
    obs = pd.DataFrame({"cell_type": ["a", "b"] * 6, "donor": ["x"] * 5 + ["y"] * 7}, index=CELLS)
    return anndata.AnnData(x, obs, pd.DataFrame(index=GENES), **more)


def dense(dataset):
    return dataset.counts.toarray() if sp.issparse(dataset.counts) else dataset.counts


def test_counts_are_looked_for_in_the_documented_order():
    raw = anndata.AnnData(COUNTS + 1, var=pd.DataFrame(index=GENES))
    data = toy(layers={"counts": COUNTS + 2})
    data.raw = raw
    for first in ("layers['counts']", "raw.X", "X"):
        dataset = from_anndata(data, "my.h5ad")
        assert dataset.steps[0] == f"counts read from {first}"
        if first == "layers['counts']":
            del data.layers["counts"]
        else:
            data.raw = None


def test_raw_with_log_values_is_passed_over_for_counts_in_x():
    data = toy()
    data.raw = anndata.AnnData(np.log1p(COUNTS), var=pd.DataFrame(index=GENES))
    dataset = from_anndata(data, "my.h5ad")
    assert dataset.steps[0] == "counts read from X"
    np.testing.assert_array_equal(dense(dataset), COUNTS)


def test_raw_with_more_genes_than_x_gives_all_of_them():
    data = toy()[:, :3].copy()
    data.raw = toy()
    assert from_anndata(data, "my.h5ad").gene_names == tuple(GENES)


@pytest.mark.parametrize("layer", ["spliced", "X", "raw.X"])
def test_named_layer_is_taken(layer):
    data = toy(layers={"counts": COUNTS * 0, "spliced": COUNTS + 3})
    data.raw = anndata.AnnData(COUNTS + 1, var=pd.DataFrame(index=GENES))
    expected = {"spliced": COUNTS + 3, "X": COUNTS, "raw.X": COUNTS + 1}[layer]
    np.testing.assert_array_equal(dense(from_anndata(data, "my.h5ad", layer=layer)), expected)


def test_labels_and_batches_are_read():
    dataset = from_anndata(toy(), "my.h5ad", label_key="cell_type", batch_key="donor")
    assert list(dataset.labels[:2]) == ["a", "b"]
    assert list(dataset.batch[4:6]) == ["x", "y"]


def test_whole_numbers_stored_as_floats_make_plain_labels():
    data = toy()
    data.obs["cluster"] = [0.0, 1.0] * 6
    assert set(from_anndata(data, "my.h5ad", label_key="cluster").labels) == {"0", "1"}


def test_library_sizes_are_totals_over_all_genes_of_the_file():
    dataset = from_anndata(toy(), "my.h5ad")
    np.testing.assert_array_equal(dataset.library_size, COUNTS.sum(axis=1))


def write_10x(folder):
    scipy.io.mmwrite(folder / "matrix.mtx", sp.csr_matrix(COUNTS.T.astype(int)))
    (folder / "genes.tsv").write_text("".join(f"{g}\t{g}\n" for g in GENES))
    (folder / "barcodes.tsv").write_text("".join(f"{c}\n" for c in CELLS))


def test_every_format_gives_the_same_counts_and_names(tmp_path):
    table = pd.DataFrame(COUNTS.astype(int), index=CELLS, columns=GENES)
    table.to_csv(tmp_path / "my.csv")
    table.to_csv(tmp_path / "my.csv.gz")
    table.to_csv(tmp_path / "my.tsv", sep="\t")
    toy().write_h5ad(tmp_path / "my.h5ad")
    write_10x(tmp_path)
    names = ["my.csv", "my.csv.gz", "my.tsv", "my.h5ad", "matrix.mtx", "."]
    for path in (tmp_path / name for name in names):
        dataset = read_counts_file(path)
        np.testing.assert_array_equal(dense(dataset), COUNTS, err_msg=str(path))
        assert dataset.cell_names == tuple(CELLS)
        assert dataset.gene_names == tuple(GENES)
        assert dataset.counts_are_raw


def test_loom_is_read_where_its_reader_is_installed(tmp_path):
    pytest.importorskip("loompy")
    data = toy(sp.csr_matrix(COUNTS))
    data.obs.index.name, data.var.index.name = "obs_names", "var_names"
    data.write_loom(tmp_path / "my.loom")
    np.testing.assert_array_equal(dense(read_counts_file(tmp_path / "my.loom")), COUNTS)


COUNT_TABLES = st.lists(st.lists(st.integers(0, 10**4), min_size=3, max_size=3), min_size=1)


@given(table=COUNT_TABLES.filter(lambda table: any(map(any, table))), sparse=st.booleans())
@settings(max_examples=50, deadline=None)
def test_logs_are_turned_back_into_what_they_were_taken_of(table, sparse):
    counts = np.array(table, dtype=np.float64)
    names = [f"n{i}" for i in range(max(counts.shape))]
    for scale, logs in (("lognorm", np.log2(1 + counts)), ("log1p", np.log1p(counts))):
        values = Values(sp.csr_matrix(logs) if sparse else logs, "X", names, names)
        back, raw = to_counts(values, scale)
        back = back.toarray() if sparse else back
        np.testing.assert_allclose(back, counts, rtol=1e-5)
        assert not raw


def test_estimated_counts_are_taken_on_demand_and_marked():
    dataset = from_anndata(toy(COUNTS + 0.25), "my.h5ad", scale="counts")
    assert not dataset.counts_are_raw
    assert "although not all are integers" in dataset.steps[0]


def test_what_an_imputer_sees_has_every_cell_and_gene():
    data = toy(np.log1p(COUNTS), layers={"counts": COUNTS})
    data.layers["counts"][2] = 0
    observed = lay_out(data, "the AnnData", Options(batch_key="donor", n_groups=2)).observed
    assert observed.dense_counts.shape == data.shape
    np.testing.assert_array_equal(observed.dense_counts, data.layers["counts"])
    assert list(observed.batch) == list(data.obs["donor"])
    assert observed.n_groups == 2


def test_own_file_is_a_dataset_the_registry_can_name(tmp_path):
    toy().write_h5ad(tmp_path / "my.h5ad")
    source = registry().dataset(
        f"file[path={tmp_path / 'my.h5ad'},label_key=cell_type,genes=4,hvg=scran_fill]"
    )
    assert source == FileSource(
        path=str(tmp_path / "my.h5ad"), label_key="cell_type", genes=4, hvg="scran_fill"
    )
    dataset = source.load()
    assert dataset.name == source.spec
    assert dataset.n_genes == 4
