"""What `inspect` says of real files is so, and the command it ends with works."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.sparse as sp

import impbench
from impbench.data.dataset import Dataset
from impbench.data.read import read_counts_file
from impbench.errors import InputError
from impbench.inspection import stored
from impbench.inspection.contents import open_contents
from impbench.inspection.genes import style
from impbench.inspection.inspect import Inspection, inspect

VERSIONS = sorted((Path(__file__).parents[1] / "data" / "anndata_versions").glob("*.h5ad"))
N_CELLS, N_GENES = 40, 25
COUNTS = np.random.default_rng(3).poisson(1.5, (N_CELLS, N_GENES)).astype(np.float32)
COUNTS[:, 0] += 1
CELLS = [f"cell{i}" for i in range(N_CELLS)]
GENES = [f"GENE{i}" for i in range(N_GENES)]
LOGS = np.log1p(COUNTS * (1e4 / COUNTS.sum(axis=1, keepdims=True))).astype(np.float32)


def toy(x: Any = COUNTS, genes: list[str] = GENES) -> anndata.AnnData:
    return anndata.AnnData(x.copy(), pd.DataFrame(index=CELLS), pd.DataFrame(index=genes))


def written(data: anndata.AnnData, folder: Path, **keywords: Any) -> Path:
    data.write_h5ad(folder / "my.h5ad", **keywords)
    return folder / "my.h5ad"


def read_by(found: Inspection) -> Dataset:
    """Read the file as the command that was found says."""
    words = shlex.split(found.line or "")
    assert words[:3] == ["impbench", "run", "--data"]
    options: dict[str, Any] = {"transpose": "--transpose" in words}
    rest = [word for word in words[4:] if word != "--transpose"]
    for option, value in zip(rest[::2], rest[1::2], strict=True):
        options[option[2:].replace("-", "_")] = value
    return read_counts_file(words[3], **options)


def dense(matrix: Any) -> np.ndarray:
    return matrix.toarray() if sp.issparse(matrix) else np.asarray(matrix)


@pytest.mark.parametrize("path", VERSIONS, ids=lambda path: path.stem)
def test_files_of_every_anndata_are_read(path: Path) -> None:
    found = inspect(path)
    held = {matrix.place: matrix for matrix in found.matrices}
    assert {*held} == {"X", "raw.X", "layers['counts']", "layers['by_gene']"}
    assert held["X"].stored == "dense, float32"
    assert held["layers['counts']"].stored == "sparse by cell, float32"
    assert held["layers['by_gene']"].stored == "sparse by gene, float32"
    assert held["X"].normalised is not None
    assert (held["X"].normalised.scaled, held["X"].normalised.exact) == (False, True)
    data = anndata.read_h5ad(path)
    counts = data.layers["counts"].toarray()
    for place in ("raw.X", "layers['counts']", "layers['by_gene']"):
        facts = held[place].values
        assert facts.are_counts
        assert facts.zeros == pytest.approx((counts == 0).mean())
        sizes = counts.sum(axis=1)
        assert facts.library_sizes == (sizes.min(), np.median(sizes), sizes.max())
    assert [column.name for column in found.columns.labels] == []
    assert [column.name for column in found.columns.batches] == []  # a plate for every cell
    dataset = read_by(found)
    assert np.array_equal(dense(dataset.counts), counts)


@pytest.mark.slow
def test_the_line_it_ends_with_runs(tmp_path: Path) -> None:
    data = toy(LOGS)
    data.layers["umi"] = sp.csr_matrix(COUNTS)
    data.obs["Cell type"] = ["T cell", "B cell"] * (N_CELLS // 2)
    data.obs["donor_id"] = ["x"] * 10 + ["y"] * 30
    written(data, tmp_path)
    call = str(Path(sys.executable).with_name("impbench"))
    said = subprocess.run(
        [call, "inspect", "my.h5ad"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    line = said.splitlines()[-1]
    assert line == (
        "impbench run --data my.h5ad --layer umi --label-key 'Cell type' --batch-key donor_id"
    )
    more = "--protocols clustering --imputers no-imputation --seeds 1 --no-report -q --out x"
    subprocess.run(
        [call, *shlex.split(line)[1:], *more.split()], cwd=tmp_path, check=True, capture_output=True
    )
    assert (tmp_path / "x" / "results.parquet").exists()


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        (LOGS, "log1p"),
        (LOGS / np.float32(np.log(2)), "lognorm"),
        (np.expm1(LOGS), "counts"),
    ],
    ids=["ln", "log2", "none"],
)
def test_without_counts_the_scale_is_named(values: np.ndarray, scale: str, tmp_path: Path) -> None:
    found = inspect(written(toy(sp.csr_matrix(values)), tmp_path))
    assert found.choice.scale == scale
    assert "10000 a cell; the counts can be had back exactly" in str(found)
    np.testing.assert_allclose(dense(read_by(found).counts).sum(axis=1), 1e4, rtol=1e-3)


def test_what_cannot_be_turned_back_gets_a_reason_and_no_line(tmp_path: Path) -> None:
    for values, word in ((LOGS - LOGS.mean(axis=0), "negative"), (LOGS / np.log(10), "10")):
        found = inspect(toy(values.astype(np.float32)))
        assert found.line is None
        assert word in found.choice.why


def test_counts_win_over_scaled_values_and_an_unsound_counts_layer(tmp_path: Path) -> None:
    data = toy(LOGS - 1)
    data.raw = toy(COUNTS)
    assert inspect(data).command[3:] == ("my.h5ad",)  # type: ignore[index]
    data.layers["counts"] = LOGS
    found = inspect(written(data, tmp_path))
    assert found.line is not None
    assert "--layer raw.X" in found.line
    assert np.array_equal(dense(read_by(found).counts), COUNTS)


@pytest.mark.parametrize("form", ["csr", "csc", "dense"])
def test_genes_by_cells_are_noticed(form: str, tmp_path: Path) -> None:
    genes = [f"ENSG{i:011d}" for i in range(N_GENES)]
    data = toy(COUNTS, genes).T.copy()
    data.X = data.X if form == "dense" else getattr(sp, f"{form}_matrix")(data.X)
    found = inspect(written(data, tmp_path))
    assert found.transposed is not None
    assert (found.matrices[0].n_cells, found.matrices[0].n_genes) == (N_CELLS, N_GENES)
    sizes = COUNTS.sum(axis=1)
    assert found.matrices[0].values.library_sizes == (sizes.min(), np.median(sizes), sizes.max())
    assert found.genes.style == "Ensembl identifiers of human"
    assert np.array_equal(dense(read_by(found).counts), COUNTS)


def write_csv(path: Path) -> None:
    pd.DataFrame(COUNTS.astype(int), index=CELLS, columns=GENES).to_csv(path)


def write_folder(path: Path) -> None:
    path.mkdir()
    scipy.io.mmwrite(path / "matrix.mtx", sp.csr_matrix(COUNTS.T.astype(int)))
    (path / "genes.tsv").write_text("".join(f"{g}\t{g}\n" for g in GENES))
    (path / "barcodes.tsv").write_text("".join(f"{c}\n" for c in CELLS))


def write_loom(path: Path) -> None:
    loompy = pytest.importorskip("loompy")
    loompy.create(str(path), COUNTS.T, {"Gene": np.array(GENES)}, {"CellID": np.array(CELLS)})


def write_10x_h5(path: Path) -> None:
    by_cell = sp.csr_matrix(COUNTS.astype(np.int32))
    with h5py.File(path, "w") as file:
        for name in ("data", "indices", "indptr"):
            file[f"matrix/{name}"] = getattr(by_cell, name)
        file["matrix/shape"] = np.array([N_GENES, N_CELLS], dtype=np.int32)
        file["matrix/barcodes"] = np.array(CELLS, dtype="S")
        for name in ("id", "name"):
            file[f"matrix/features/{name}"] = np.array(GENES, dtype="S")
        file["matrix/features/feature_type"] = np.array(["Gene Expression"] * N_GENES, dtype="S")


WRITERS = {"my.csv": write_csv, "10x": write_folder, "my.loom": write_loom, "raw.h5": write_10x_h5}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_is_read(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / name)
    found = inspect(tmp_path / name)
    assert found.matrices[0].values.are_counts
    assert np.array_equal(dense(read_by(found).counts), COUNTS)
    sizes = COUNTS.sum(axis=1)
    assert found.matrices[0].values.library_sizes == (sizes.min(), np.median(sizes), sizes.max())


def test_in_memory_and_on_disk_say_the_same(tmp_path: Path) -> None:
    data = toy(LOGS)
    data.layers["counts"] = sp.csc_matrix(COUNTS)
    data.obs["leiden_0.5"] = pd.Categorical(["0", "1"] * (N_CELLS // 2))
    data.obs["sample"] = pd.Categorical(["s1", "s2"] * (N_CELLS // 2))
    path = written(data, tmp_path)
    inside, outside = impbench.inspect(data), inspect(path)
    assert inside.matrices == outside.matrices
    assert inside.columns == outside.columns
    assert inside.genes == outside.genes
    del data.obs["sample"]
    assert "--per batch" not in str(impbench.inspect(data))
    assert str(outside).splitlines()[-1] == f"impbench run --data {path} --batch-key sample"
    assert "with --per batch each method also runs on each sample alone" in str(outside)
    assert "'leiden_0.5', 2 (0, 1); made from these very counts" in str(outside)
    backed = anndata.read_h5ad(path, backed="r")
    assert inspect(backed).matrices == outside.matrices
    backed.file.close()


def test_names_that_repeat_spike_ins_and_other_features_are_said(tmp_path: Path) -> None:
    genes = ["MT-CO1", "Actb", "Actb", "ERCC-00002", "ERCC-00130", *GENES[5:]]
    data = toy(COUNTS, genes)
    data.var["feature_types"] = ["Gene Expression"] * 20 + ["Antibody Capture"] * 5
    data.obs_names = ["cell0", *data.obs_names[:-1]]
    found = inspect(written(data, tmp_path))
    assert found.genes.repeated == ("Actb",)
    assert (found.genes.spike_ins, found.genes.mitochondrial) == (2, 1)
    assert found.genes.other_features == {"Antibody Capture": 5}
    assert found.repeated_cells == ("cell0",)
    for word in ("'Actb'", "2 spike-ins", "5 Antibody Capture", "'cell0'", "make them unique"):
        assert word in str(found)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["ENSG00000139618", "ENSG00000141510"], "Ensembl identifiers of human"),
        (["ENSMUSG00000051951.5"], "Ensembl identifiers with versions of mouse"),
        (["Gapdh", "Actb", "mt-Nd1", "4930594M22Rik"], "symbols as of mouse"),
        (["GAPDH", "HLA-A", "C1orf112", "MT-CO1"], "symbols as of human"),
        (["FBgn0000003", "FBgn0000008"], "FlyBase identifiers"),
        (["GAPDH_ENSG00000111640"], "symbols joined to identifiers"),
        (["7157", "672"], "numbers"),
        (["0", "1", "2"], "no names: 0, 1, 2, …"),
        (["nan", "a b", "c!d"], "of no style known here"),
    ],
)
def test_styles_of_names(names: list[str], expected: str) -> None:
    assert style(names) == expected


@pytest.mark.parametrize("form", ["csr", "csc", "dense"])
@pytest.mark.parametrize("compression", [None, "gzip"])
def test_of_a_large_matrix_no_more_is_read_than_needed(
    form: str, compression: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    counts = rng.poisson(0.5, (4000, 50)).astype(np.float32)
    counts[:, 0] += 1
    logs = np.log1p(counts * (1e4 / counts.sum(axis=1, keepdims=True)))
    matrix = logs if form == "dense" else getattr(sp, f"{form}_matrix")(logs)
    path = written(anndata.AnnData(matrix), tmp_path, compression=compression)
    monkeypatch.setattr(stored, "LIMIT", 20_000)
    monkeypatch.setattr(stored, "LIMIT_BY_GENE", 20_000)
    found = inspect(path).matrices[0]
    assert not found.complete
    assert found.values.zeros == pytest.approx((counts == 0).mean(), abs=0.03)
    assert not found.values.whole
    if form == "csc":
        assert (found.values.n_cells, found.normalised) == (None, None)
    else:
        assert found.values.n_cells is not None
        assert 100 < found.values.n_cells < 2000
        assert found.normalised is not None
        assert found.normalised.target_sum == pytest.approx(1e4, rel=1e-3)


@pytest.mark.parametrize("indices", [[0, 10**6], [-5, 1]])
def test_a_matrix_that_points_outside_itself_is_refused(indices: list[int], tmp_path: Path) -> None:
    path = written(toy(sp.csr_matrix(COUNTS)), tmp_path)
    with h5py.File(path, "r+") as file:
        file["X/indices"][:2] = indices
    with pytest.raises(InputError, match="no sound sparse matrix"):
        inspect(path)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        inspect(tmp_path / "nowhere.h5ad")


@pytest.mark.parametrize("logs", [False, True])
def test_a_matrix_by_gene_says_the_same_as_by_cell_and_is_not_turned_round(
    logs: bool, tmp_path: Path
) -> None:
    x = np.log1p(COUNTS / COUNTS.sum(axis=1, keepdims=True) * 1e4) if logs else COUNTS
    values = []
    for name, form in (("cell", sp.csr_matrix), ("gene", sp.csc_matrix)):
        toy(form(x.astype(np.float32))).write_h5ad(tmp_path / f"{name}.h5ad")
        (facts,) = inspect(tmp_path / f"{name}.h5ad").matrices
        values.append((facts.values, facts.normalised))
    assert values[0] == values[1]
    with open_contents(tmp_path / "gene.h5ad") as contents:
        assert stored.read_portion(contents.matrices[0]).values.format == "csc"


@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_truncated_file_is_refused_in_words(tmp_path: Path, kept: float) -> None:
    path = written(toy(), tmp_path)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(InputError, match=r"my\.h5ad cannot be read .*truncated or damaged"):
        inspect(path)
