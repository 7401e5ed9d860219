"""Every file a user may hand over by mistake is refused with what, where and what to do."""

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from impbench.apply.layer import lay_out
from impbench.apply.options import Options
from impbench.data.prepare import prepare
from impbench.data.read import FileSource, read_counts_file
from impbench.errors import InputError

N_CELLS, N_GENES = 12, 6


def toy(**changes):
    rng = np.random.default_rng(0)
    parts = {
        "X": sp.csr_matrix(rng.integers(1, 9, (N_CELLS, N_GENES)).astype(np.float32)),
        "obs": pd.DataFrame(
            {"cell_type": ["a", "b"] * (N_CELLS // 2), "donor": ["x"] * N_CELLS},
            index=[f"cell{i}" for i in range(N_CELLS)],
        ),
        "var": pd.DataFrame(index=[f"Gene{i}" for i in range(N_GENES)]),
    }
    return anndata.AnnData(**(parts | changes))


@pytest.fixture
def save(tmp_path):
    def write(data, name="my.h5ad"):
        data.write_h5ad(tmp_path / name)
        return tmp_path / name

    return write


def refusal(path, **options):
    with pytest.raises(InputError) as caught:
        read_counts_file(path, **options)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_missing_file(tmp_path):
    assert "does not exist" in refusal(tmp_path / "absent.h5ad")


def test_empty_file(tmp_path):
    (tmp_path / "my.h5ad").touch()
    assert "is empty (0 bytes)" in refusal(tmp_path / "my.h5ad")


def test_folder_that_holds_no_matrix(tmp_path):
    assert "is a folder" in refusal(tmp_path)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_truncated_file(save, share):
    path = save(toy())
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert "truncated or damaged" in refusal(path)


def test_text_that_is_called_h5ad(tmp_path):
    (tmp_path / "my.h5ad").write_text("gene,cell\n1,2\n")
    assert "is not an HDF5 file" in refusal(tmp_path / "my.h5ad")


def test_hdf5_that_is_no_anndata(tmp_path):
    with h5py.File(tmp_path / "my.h5ad", "w") as file:
        file["weights"] = np.ones(3)
    refusal(tmp_path / "my.h5ad")


def test_hdf5_that_is_called_csv(save, tmp_path):
    save(toy()).rename(tmp_path / "my.csv")
    assert "name it .h5ad" in refusal(tmp_path / "my.csv")


def test_unknown_ending_lists_the_known_ones(save, tmp_path):
    save(toy()).rename(tmp_path / "my.hdf")
    message = refusal(tmp_path / "my.hdf")
    assert "ends in .hdf" in message
    assert ".h5ad, .csv" in message


def test_annotation_in_a_table_of_counts(tmp_path):
    (tmp_path / "my.csv").write_text("cell,Gene1,cell_type\na,1,T\nb,2,B\n")
    assert "column 'cell_type' holds text (such as 'T')" in refusal(tmp_path / "my.csv")


def test_matrix_without_names(tmp_path):
    (tmp_path / "matrix.mtx").write_text(
        "%%MatrixMarket matrix coordinate integer general\n2 2 1\n1 1 3\n"
    )
    assert "barcodes.tsv" in refusal(tmp_path / "matrix.mtx")


def test_no_matrix_at_all(save):
    assert "holds no matrix" in refusal(save(toy(X=None)))


def test_only_zeros(save):
    assert "every value is 0" in refusal(save(toy(X=np.zeros((N_CELLS, N_GENES)))))


@pytest.mark.parametrize(
    ("value", "kind"), [(np.nan, "1 NaN value"), (np.inf, "1 infinite value"), (-1, "1 negative")]
)
@pytest.mark.parametrize("store", [np.asarray, sp.csr_matrix])
def test_impossible_value_is_named_with_its_cell_and_gene(save, value, kind, store):
    values = toy().X.toarray()
    values[7, 4] = value
    message = refusal(save(toy(X=store(values))))
    assert kind in message
    assert "cell 'cell7', gene 'Gene4'" in message


def test_log_values_are_described_and_the_ways_on_named(save):
    counts = toy().X
    logs = counts.copy()
    logs.data = np.log1p(logs.data)
    message = refusal(save(toy(X=logs, layers={"raw_umi": counts})))
    assert "X of" in message
    assert f"such as {logs.data[0]:.7g} (cell 'cell0', gene 'Gene0')" in message
    assert "100% of its non-zero values are no integers" in message
    assert "looks log-normalised" in message
    assert "'raw_umi'" in message
    assert "--scale log1p" in message


def test_values_with_equal_sums_are_called_normalised(save):
    values = toy().X.toarray()
    scaled = 1e4 * values / values.sum(axis=1, keepdims=True)
    assert "every cell sums to 10000: this looks normalised" in refusal(save(toy(X=scaled)))


def test_layer_named_counts_that_holds_none_is_not_passed_over(save):
    layers = {"counts": toy().X * 0.5}
    assert "layers['counts']" in refusal(save(toy(layers=layers)))


def test_values_too_large_for_the_log_they_are_said_to_be(save):
    assert "is no log2(1 + x)" in refusal(save(toy(X=toy().X * 100)), scale="lognorm")


def test_unknown_layer_lists_what_there_is(save):
    message = refusal(save(toy(layers={"counts": toy().X})), layer="count")
    assert "no layer 'count'; it holds layers['counts'], X" in message


@pytest.mark.parametrize("side", ["obs", "var"])
def test_repeated_names(save, side):
    data = toy()
    names = list(getattr(data, f"{side}_names"))
    setattr(data, f"{side}_names", [names[1], *names[1:]])
    message = refusal(save(data))
    assert f"{names[1]!r} stands for more than one" in message
    assert f"{side}_names_make_unique" in message


@pytest.mark.parametrize("side", ["obs", "var"])
def test_missing_names(save, side):
    data = toy()
    names = list(getattr(data, f"{side}_names"))
    setattr(data, f"{side}_names", [*names[:-1], " "])
    assert f"name {len(names) - 1} is missing" in refusal(save(data))


def test_repeated_genes_in_a_table(tmp_path):
    (tmp_path / "my.csv").write_text("cell,Gene1,Gene1\na,1,2\nb,3,4\n")
    assert "'Gene1' stands for more than one" in refusal(tmp_path / "my.csv")


def test_genes_by_cells_is_recognised_by_its_names_and_transposed_on_demand(tmp_path):
    path = tmp_path / "my.csv"
    path.write_text("gene,AAACCTGAGAAACCAT-1,AAACCTGAGAAACCGC-1\nActb,3,4\nGapdh,5,0\n")
    message = refusal(path)
    assert "looks like genes × cells: 2 of its 2 rows are named like genes" in message
    assert "--transpose" in message
    dataset = read_counts_file(path, transpose=True)
    assert dataset.gene_names == ("Actb", "Gapdh")
    np.testing.assert_array_equal(dataset.counts, [[3, 5], [4, 0]])


def test_more_cells_than_genes_alone_is_no_sign_of_genes_by_cells(save):
    assert read_counts_file(save(toy())).n_cells == N_CELLS > N_GENES


def test_one_cell(save):
    assert "1 cells × 6 genes" in refusal(save(toy()[:1].copy()))


def test_label_column_that_is_not_there_suggests_the_nearest(save):
    message = refusal(save(toy()), label_key="celltype")
    assert "did you mean 'cell_type'?" in message
    assert "columns: cell_type, donor" in message


def test_labels_asked_of_a_table(tmp_path):
    (tmp_path / "my.csv").write_text("cell,Gene1,Gene2\na,1,2\nb,3,4\n")
    assert "says nothing about its cells" in refusal(tmp_path / "my.csv", label_key="cell_type")


def test_single_cell_type(save):
    assert "a single cell type ('x')" in refusal(save(toy()), label_key="donor")


def with_column(values):
    data = toy()
    data.obs["label"] = values
    return data


def test_labels_that_are_all_missing(save):
    path = save(with_column([np.nan] * N_CELLS))
    assert "names no cell type" in refusal(path, label_key="label")


@pytest.mark.parametrize(
    "values",
    [np.linspace(0, 1, N_CELLS), np.arange(N_CELLS), [f"c{i}" for i in range(N_CELLS)]],
    ids=["measurement", "number per cell", "name per cell"],
)
def test_column_that_differs_in_every_cell_is_no_label(save, values):
    message = refusal(save(with_column(values)), label_key="label")
    assert "12 different values for 12 cells" in message
    assert "no column of cell types" in message


def test_batch_that_is_missing_for_a_cell(save):
    path = save(with_column(["x", None] * (N_CELLS // 2)))
    message = refusal(path, batch_key="label")
    assert "missing for 6 cells (first: 'cell1')" in message


def test_cells_without_label_are_left_out_and_that_is_on_record(save):
    path = save(with_column(pd.Categorical(["a", "b", None] * (N_CELLS // 3))))
    dataset = read_counts_file(path, label_key="label")
    assert dataset.n_cells == 8
    assert set(dataset.labels) == {"a", "b"}
    assert any("left out 4 cells without" in step for step in dataset.steps)


def test_empty_cells_and_genes_are_dropped_and_that_is_on_record(save):
    values = toy().X.toarray()
    values[3] = 0
    values[:, 2] = 0
    dataset = prepare(read_counts_file(save(toy(X=values))))
    assert "cell3" not in dataset.cell_names
    assert "Gene2" not in dataset.gene_names
    assert "dropped 1 cell without any count" in dataset.steps
    assert any("dropped 1 of 6 genes" in step for step in dataset.steps)


def test_genes_too_rare_for_every_filter_are_an_error(save):
    with pytest.raises(InputError, match="lower min_cells"):
        prepare(read_counts_file(save(toy())), min_cells=N_CELLS + 1)


def test_file_source_without_a_path():
    with pytest.raises(InputError, match="needs a path"):
        FileSource().load()


def test_method_is_not_run_on_log_values():
    data = toy()
    data.X.data = np.log1p(data.X.data)
    with pytest.raises(InputError, match="impbench needs raw counts"):
        lay_out(data, "the AnnData", Options())
