"""A method applied to one's own data: the right genes, the right scale, every format."""

from __future__ import annotations

import gzip
import math
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scanpy
import scipy.io
import scipy.sparse as sp

import impbench
from impbench.apply.file import impute_file
from impbench.apply.layer import scanpy_hint
from impbench.context import Context
from impbench.errors import InputError
from impbench.imputer import Imputed, Imputer, Observed

N_CELLS, N_GENES = 40, 12
COUNTS = np.random.default_rng(5).poisson(2.0, (N_CELLS, N_GENES)).astype(np.float32)
CELLS = [f"cell{i}" for i in range(N_CELLS)]
GENES = [f"Gene{i}" for i in range(N_GENES)]
SIZE_FACTORS = COUNTS.sum(axis=1) / np.median(COUNTS.sum(axis=1))
LOG2 = np.log2(1 + COUNTS / SIZE_FACTORS[:, None])


@dataclass(frozen=True)
class Never(Imputer):
    """Fails where it should not even be asked."""

    name = "never"
    summary = "For tests"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        raise AssertionError("imputed before everything was found sound")


@dataclass(frozen=True)
class Doubles(Imputer):
    """Twice the counts, or the same as log values."""

    name = "doubles"
    summary = "For tests"

    logged: bool = False

    def impute(self, observed: Observed, context: Context) -> Imputed:
        twice = Imputed(2 * observed.dense_counts, "counts")
        return Imputed(twice.lognorm(observed), "lognorm") if self.logged else twice


def toy(x: Any = COUNTS, genes: list[str] = GENES) -> anndata.AnnData:
    obs = pd.DataFrame({"kind": ["a", "b"] * (N_CELLS // 2)}, index=CELLS)
    return anndata.AnnData(x.copy(), obs, pd.DataFrame(index=genes))


def dense(matrix: Any) -> np.ndarray:
    return matrix.toarray() if sp.issparse(matrix) else np.asarray(matrix)


# ---------------------------------------------------------------------------------- which genes


@pytest.mark.parametrize("layer", ["raw.X", None])
@pytest.mark.parametrize("sparse", [False, True])
def test_genes_of_raw_in_another_order_are_aligned_by_name(
    layer: str | None, sparse: bool, tmp_path: Path
) -> None:
    order = np.random.default_rng(0).permutation(N_GENES)
    data = toy(np.log1p(COUNTS))
    x = COUNTS[:, order]
    data.raw = toy(sp.csr_matrix(x) if sparse else x, [GENES[i] for i in order])
    data.write_h5ad(tmp_path / "in.h5ad")
    impute_file(tmp_path / "in.h5ad", tmp_path / "out.h5ad", "no-imputation", layer=layer)
    impbench.impute(data, "no-imputation", layer=layer)
    for after in (data, anndata.read_h5ad(tmp_path / "out.h5ad")):
        np.testing.assert_allclose(after.layers["imputed"], LOG2, rtol=1e-5)
        assert "genes put into the order of X by name" in after.uns["imputed"]["steps"]


def test_raw_with_more_genes_is_imputed_whole_and_those_of_x_are_kept(tmp_path: Path) -> None:
    data = toy()[:, [7, 2, 4]].copy()
    data.raw = toy()
    data.X = np.log1p(data.X)
    data.write_h5ad(tmp_path / "in.h5ad")
    written = impute_file(tmp_path / "in.h5ad", tmp_path / "out.h5ad", Doubles())
    after = anndata.read_h5ad(tmp_path / "out.h5ad")
    twice = np.log2(1 + 2 * COUNTS / SIZE_FACTORS[:, None])
    np.testing.assert_allclose(after.layers["imputed"], twice[:, [7, 2, 4]], rtol=1e-5)
    assert any("9 more genes were imputed" in step for step in written.entry["steps"])


def test_raw_that_lacks_genes_is_refused_before_imputing(tmp_path: Path) -> None:
    data = toy()
    data.raw = toy()[:, 1:].copy()
    data.write_h5ad(tmp_path / "in.h5ad")
    with pytest.raises(InputError, match=r"raw.X, which lacks 1 of the 12 genes .*'Gene0'"):
        impute_file(tmp_path / "in.h5ad", tmp_path / "out.h5ad", Never(), layer="raw.X")
    with pytest.raises(InputError, match="Gene0"):
        impbench.impute(data, Never(), layer="raw.X")
    assert not (tmp_path / "out.h5ad").exists()


# ---------------------------------------------------------------------------------- which scale


@pytest.mark.parametrize("logged", [False, True])
def test_output_scales_are_what_their_entry_says(logged: bool) -> None:
    twice = 2 * COUNTS / SIZE_FACTORS[:, None]
    expected = {"log2": np.log2(1 + twice), "ln": np.log1p(twice), "counts": 2 * COUNTS}
    words = {"log2": "log2(1 + count / size factor)", "ln": "ln(1 + count / size factor)"}
    for scale, values in expected.items():
        data = toy()
        impbench.impute(data, Doubles(logged=logged), output_scale=scale)  # type: ignore[arg-type]
        np.testing.assert_allclose(data.layers["imputed"], values, rtol=1e-5, atol=1e-5)
        entry = data.uns["imputed"]
        assert entry["scale"] == words.get(scale, "expected counts in the cell's own library size")
        assert ("log_base" in entry) == (scale != "counts")
        if scale != "counts":
            base = entry["log_base"]
            np.testing.assert_allclose(
                (base ** data.layers["imputed"] - 1).sum(axis=1), 2 * entry["target_sum"], rtol=1e-4
            )


@pytest.mark.parametrize("base", [None, 2.0], ids=["file of scanpy", "file logged with base 2"])
@pytest.mark.parametrize("output_scale", ["log2", "ln"])
def test_fold_changes_of_scanpy_come_out_right(
    output_scale: str, base: float | None, tmp_path: Path
) -> None:
    """rank_genes_groups undoes the logarithm of uns["log1p"]["base"], or a natural one.

    Where that is not the layer's, what is said after imputing puts it right.
    """
    data = toy()
    data.X[data.obs["kind"].to_numpy() == "a", 0] += 30
    counts = data.X.copy()
    if base is not None:
        data.uns["log1p"] = {"base": base}
    data.write_h5ad(tmp_path / "in.h5ad")
    written = impute_file(
        tmp_path / "in.h5ad", tmp_path / "out.h5ad", "no-imputation", output_scale=output_scale
    )
    right = output_scale == ("ln" if base is None else "log2")
    assert (written.hint is None) == right
    after = anndata.read_h5ad(tmp_path / "out.h5ad")
    if not right:
        assert not np.allclose(fold_changes(after), expected_fold_changes(counts, after), atol=0.01)
        assert written.hint is not None
        line = written.hint[written.hint.index("adata.uns") :].partition(", or")[0]
        exec(line, {"adata": after})
    np.testing.assert_allclose(
        fold_changes(after), expected_fold_changes(counts, after), rtol=1e-3, atol=1e-3
    )


def fold_changes(data: anndata.AnnData) -> np.ndarray:
    """scanpy's log2 fold changes of kind a over b, in the order of the genes."""
    scanpy.tl.rank_genes_groups(data, "kind", layer="imputed", use_raw=False, method="t-test")
    table = scanpy.get.rank_genes_groups_df(data, "a").set_index("names")
    return table.loc[GENES, "logfoldchanges"].to_numpy()


def expected_fold_changes(counts: np.ndarray, data: anndata.AnnData) -> np.ndarray:
    """scanpy's definition: geometric means of 1 + normalised count, less 1, of the two groups."""
    sizes = counts.sum(axis=1)
    logs = np.log1p(counts / (sizes / np.median(sizes))[:, None])
    a = (data.obs["kind"] == "a").to_numpy()
    return np.log2(np.expm1(logs[a].mean(axis=0)) / np.expm1(logs[~a].mean(axis=0)))


def test_no_hint_for_counts_and_none_where_scanpy_is_right() -> None:
    assert scanpy_hint({"scale": "counts"}, "x", None) is None
    assert scanpy_hint({"log_base": math.e}, "x", None) is None
    assert scanpy_hint({"log_base": 2.0}, "x", 2.0) is None


def test_logs_in_the_file_are_turned_back_on_demand(tmp_path: Path) -> None:
    toy(np.log1p(COUNTS)).write_h5ad(tmp_path / "in.h5ad")
    with pytest.raises(InputError, match="--scale log1p"):
        impute_file(tmp_path / "in.h5ad", tmp_path / "out.h5ad", Never())
    impute_file(tmp_path / "in.h5ad", tmp_path / "out.h5ad", "no-imputation", scale="log1p")
    after = anndata.read_h5ad(tmp_path / "out.h5ad")
    np.testing.assert_allclose(after.layers["imputed"], LOG2, rtol=1e-4, atol=1e-5)


# ------------------------------------------------------------------------ which genes, how stored


@pytest.mark.parametrize("logged", [False, True])
def test_genes_to_keep_are_imputed_and_the_others_observed(logged: bool, tmp_path: Path) -> None:
    toy(sp.csr_matrix(COUNTS)).write_h5ad(tmp_path / "in.h5ad")
    (tmp_path / "genes.txt").write_text("Gene3\n\nGene1 \nNoSuchGene\n")
    written = impute_file(
        tmp_path / "in.h5ad",
        tmp_path / "out.h5ad",
        Doubles(logged=logged),
        genes_to_keep=tmp_path / "genes.txt",
    )
    after = anndata.read_h5ad(tmp_path / "out.h5ad")
    expected = LOG2.copy()
    expected[:, [1, 3]] = np.log2(1 + 2 * COUNTS[:, [1, 3]] / SIZE_FACTORS[:, None])
    assert sp.issparse(after.layers["imputed"])
    np.testing.assert_allclose(after.layers["imputed"].toarray(), expected, rtol=1e-5, atol=1e-6)
    assert list(after.uns["imputed"]["genes"]) == ["Gene1", "Gene3"]
    assert any("NoSuchGene" in step for step in written.entry["steps"])
    data = toy()
    impbench.impute(data, Doubles(logged=logged), genes_to_keep=["Gene1", "Gene3"])
    np.testing.assert_allclose(data.layers["imputed"].toarray(), expected, rtol=1e-5, atol=1e-6)


def test_genes_to_keep_that_are_all_unknown_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none of the genes to keep \(ENSG01\)"):
        impbench.impute(toy(), Never(), genes_to_keep=["ENSG01"])
    with pytest.raises(InputError, match=r"nowhere.txt cannot be read"):
        impbench.impute(toy(), Never(), genes_to_keep=tmp_path / "nowhere.txt")


def test_sparse_and_half_precision_hold_the_same_values(tmp_path: Path) -> None:
    toy().write_h5ad(tmp_path / "in.h5ad")
    for options, dtype in (({"sparse": True}, np.float32), ({"dtype": "float16"}, np.float16)):
        impute_file(tmp_path / "in.h5ad", tmp_path / "out.h5ad", "no-imputation", **options)
        data = toy()
        impbench.impute(data, "no-imputation", **options)  # type: ignore[arg-type]
        for after in (anndata.read_h5ad(tmp_path / "out.h5ad"), data):
            layer = after.layers["imputed"]
            assert layer.dtype == dtype
            assert sp.issparse(layer) == ("sparse" in options)
            if sp.issparse(layer):
                assert layer.nnz == np.count_nonzero(COUNTS)
            np.testing.assert_allclose(dense(layer), LOG2, rtol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": "log2"}, "--output-scale log2"),
        ({"scale": "ln"}, "--output-scale ln"),
        ({"scale": "log"}, "there are auto, counts, lognorm, log1p"),
        ({"output_scale": "log10"}, "there are log2, ln, counts"),
        ({"dtype": "float64"}, "there are float32, float16"),
        ({"key_added": "a/b"}, "may not hold"),
        ({"dtype": "float16", "output_scale": "counts"}, "2048"),
        ({"dtype": "float16", "sparse": True}, "no sparse matrices of float16"),
        ({"dtype": "float16", "genes_to_keep": ["Gene1"]}, "no sparse matrices of float16"),
    ],
)
def test_options_that_do_not_fit_are_refused_first(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        impbench.impute(toy(), Never(), **options)


def test_a_name_that_is_taken_in_memory_is_refused_before_imputing() -> None:
    data = toy()
    impbench.impute(data, "no-imputation")
    with pytest.raises(InputError, match=r"layers/imputed and uns/imputed already"):
        impbench.impute(data, Never())
    impbench.impute(data, Doubles(), overwrite=True)
    assert data.uns["imputed"]["imputer"] == "doubles"


# ------------------------------------------------------------------------------- which file formats


def write_10x_folder(path: Path) -> None:
    path.mkdir()
    with gzip.open(path / "matrix.mtx.gz", "wb") as file:
        scipy.io.mmwrite(file, sp.csr_matrix(COUNTS.T.astype(int)))
    lines = "".join(f"{gene}\t{gene}\tGene Expression\n" for gene in GENES)
    (path / "features.tsv.gz").write_bytes(gzip.compress(lines.encode()))
    lines = "".join(f"{cell}\n" for cell in CELLS)
    (path / "barcodes.tsv.gz").write_bytes(gzip.compress(lines.encode()))


def write_10x_h5(path: Path) -> None:
    by_cell = sp.csr_matrix(COUNTS.astype(np.int32))
    with h5py.File(path, "w") as file:
        matrix = file.create_group("matrix")
        for name in ("data", "indices", "indptr"):
            matrix[name] = getattr(by_cell, name)
        matrix["shape"] = np.array([N_GENES, N_CELLS], dtype=np.int32)
        matrix["barcodes"] = np.array(CELLS, dtype="S")
        features = matrix.create_group("features")
        features["id"] = features["name"] = np.array(GENES, dtype="S")
        features["feature_type"] = np.array(["Gene Expression"] * N_GENES, dtype="S")
        features["genome"] = np.array(["toy"] * N_GENES, dtype="S")


def write_loom(path: Path) -> None:
    loompy = pytest.importorskip("loompy")
    cells = {"CellID": np.array(CELLS), "_index": np.arange(N_CELLS), "text": np.array(CELLS)}
    loompy.create(str(path), COUNTS.T, {"Gene": np.array(GENES)}, cells)


def write_csv(path: Path) -> None:
    pd.DataFrame(COUNTS.astype(int), index=CELLS, columns=GENES).to_csv(path)


WRITERS = {
    "folder": write_10x_folder,
    "raw.h5": write_10x_h5,
    "my.loom": write_loom,
    "my.csv": write_csv,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITERS)
def test_every_format_that_run_reads_makes_a_new_h5ad(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / name)
    impute_file(tmp_path / name, tmp_path / "out.h5ad", "no-imputation")
    after = anndata.read_h5ad(tmp_path / "out.h5ad")
    np.testing.assert_array_equal(dense(after.X), COUNTS)
    np.testing.assert_allclose(after.layers["imputed"], LOG2, rtol=1e-5)
    assert list(after.obs_names) == CELLS
    assert list(after.var_names) == GENES
    if name == "my.loom":
        with h5py.File(tmp_path / "out.h5ad") as file:
            assert file["obs/text"].attrs["encoding-type"] == "string-array"


def test_a_table_of_genes_by_cells_is_turned(tmp_path: Path) -> None:
    pd.DataFrame(COUNTS.T.astype(int), index=GENES, columns=CELLS).to_csv(tmp_path / "my.csv")
    impute_file(tmp_path / "my.csv", tmp_path / "out.h5ad", "no-imputation", transpose=True)
    after = anndata.read_h5ad(tmp_path / "out.h5ad")
    np.testing.assert_allclose(after.layers["imputed"], LOG2, rtol=1e-5)
    assert list(after.var_names) == GENES


# ---------------------------------------------------------------------------------- whole or not


@pytest.mark.slow
@pytest.mark.parametrize("sparse", [False, True])
def test_a_full_disk_leaves_nothing_behind(sparse: bool, tmp_path: Path) -> None:
    counts = np.random.default_rng(0).poisson(1.0, (200, 300)).astype(np.float32)
    anndata.AnnData(sp.csr_matrix(counts)).write_h5ad(tmp_path / "in.h5ad", compression="gzip")
    (tmp_path / "out.h5ad").write_text("what was there")
    limit = (tmp_path / "in.h5ad").stat().st_size + 50_000
    script = (
        "import resource, sys\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "from impbench.cli import main\n"
        "main()\n"
    )
    command = ["impute", "in.h5ad", "-m", "gene-mean", "-o", "out.h5ad", "--key-added", "x"]
    done = subprocess.run(
        [sys.executable, "-c", script, *command, *["--sparse"] * sparse],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "cannot write out.h5ad" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.h5ad", "out.h5ad"]
    assert (tmp_path / "out.h5ad").read_text() == "what was there"


def test_a_method_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    toy().write_h5ad(tmp_path / "in.h5ad")
    with pytest.raises(AssertionError):
        impute_file(tmp_path / "in.h5ad", tmp_path / "out.h5ad", Never())
    assert [path.name for path in tmp_path.iterdir()] == ["in.h5ad"]
