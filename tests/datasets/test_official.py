"""The layouts of official files, each read from a tiny file of that very layout."""

import gzip
import io
import tarfile
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from impbench.data.card import Card, CardFile, Marker
from impbench.data.official import read_official
from impbench.errors import InputError

RDS = Path(__file__).parents[1] / "data" / "rds"
"""Written by R's SingleCellExperiment: 5 genes × 4 cells."""

COUNTS = [[1, 1, 2, 4, 1], [4, 4, 2, 2, 0], [1, 1, 3, 1, 3], [2, 3, 6, 1, 3]]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("IMPBENCH_DATA", str(tmp_path))
    monkeypatch.setenv("IMPBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "toy").mkdir()
    return tmp_path / "toy"


def card(layout, *names, **facts):
    files = tuple(CardFile(f"http://127.0.0.1:9/{name}") for name in names)
    needed = {"title": "Toy", "organism": "Homo sapiens", "labels_from": "experimental"}
    return Card(name="toy", layout=layout, files=files, **needed, **facts)


@pytest.mark.parametrize("name", ["dense", "sparse"])
def test_single_cell_experiment_gives_its_counts_names_and_labels(folder, name):
    (folder / "toy.rds").write_bytes((RDS / f"{name}.rds").read_bytes())
    dataset = read_official(card("sce-rds", "toy.rds", label_key="cell_type1"))
    counts = dataset.counts if name == "dense" else dataset.counts.toarray()
    np.testing.assert_array_equal(counts, COUNTS)
    assert dataset.gene_names == tuple(f"Gene{i}" for i in range(1, 6))
    assert dataset.cell_names == tuple(f"cell{i}" for i in range(1, 5))
    assert list(dataset.labels) == ["a", "b", "a", "b"]
    assert dataset.counts_are_raw
    assert dataset.facts["source"] == "toy"  # not whose folder it lies in


def test_single_cell_experiment_without_counts_is_marked_as_normalised(folder):
    (folder / "toy.rds").write_bytes((RDS / "norm.rds").read_bytes())
    toy = card("sce-rds", "toy.rds", label_key="cell_type1", scale="counts")
    dataset = read_official(toy)
    np.testing.assert_allclose(dataset.counts, 1.5 * np.array(COUNTS))
    assert not dataset.counts_are_raw


def test_official_h5ad_is_read_with_the_label_column_of_its_card(folder):
    obs = pd.DataFrame({"type": list("abcb")}, index=[f"c{i}" for i in range(4)])
    var = pd.DataFrame(index=[f"g{i}" for i in range(5)])
    anndata.AnnData(np.array(COUNTS, dtype=np.float32), obs, var).write_h5ad(folder / "o.h5ad")
    dataset = read_official(card("h5ad", "o.h5ad", label_key="type", drop_values=("b",)))
    assert dataset.cell_names == ("c0", "c2")


def test_counts_and_annotation_tables_as_r_writes_them(folder):
    # R leaves the name of the first column out of the header.
    counts = "A1,A2,A3,A4\nENSG00000000001,5,0,1,3\nENSG00000000002,2,2,0,3\n"
    about = "cell_line,demuxlet_cls\nA4,H1,SNG\nA3,H2,DBL\nA2,H2,SNG\nA1,H1,SNG\n"
    (folder / "counts.csv.gz").write_bytes(gzip.compress(counts.encode()))
    (folder / "about.csv.gz").write_bytes(gzip.compress(about.encode()))
    toy = card(
        "counts-csv",
        "counts.csv.gz",
        "about.csv.gz",
        label_key="cell_line",
        drop_key="demuxlet_cls",
        drop_values=("DBL",),
    )
    dataset = read_official(toy)
    assert dataset.cell_names == ("A1", "A2", "A4")
    assert list(dataset.labels) == ["H1", "H2", "H1"]
    np.testing.assert_array_equal(dataset.counts, [[5, 2], [0, 2], [3, 3]])
    assert any("left out 1 cells" in step for step in dataset.steps)


def test_names_of_cells_stay_text_in_both_tables(folder):
    counts = "A,B\n001,5,0\n1.1,2,2\n1.10,3,1\nNA,3,1\n"
    (folder / "counts.csv").write_text(counts)
    (folder / "about.csv").write_text("gene,line,x\nA,H1,1\nB,H2,2\n")
    dataset = read_official(card("counts-csv", "counts.csv", "about.csv", label_key="line"))
    assert dataset.gene_names == ("001", "1.1", "1.10", "NA")
    turned = "a,b\n001,5,0\n1.1,2,2\n1.10,3,1\nNA,3,1\n"
    (folder / "counts.csv").write_text("".join(f"{r}\n" for r in turn(turned)))
    (folder / "about.csv").write_text("line\nNA,H1\n1.10,H2\n1.1,H1\n001,H2\n")
    dataset = read_official(card("counts-csv", "counts.csv", "about.csv", label_key="line"))
    assert dataset.cell_names == ("001", "1.1", "1.10", "NA")
    assert list(dataset.labels) == ["H2", "H1", "H2", "H1"]


def turn(table):
    """Lines of the transposed table, its header one field short."""
    header, *rows = (line.split(",") for line in table.splitlines())
    cells = [row[0] for row in rows]
    lines = [[gene, *(row[i + 1] for row in rows)] for i, gene in enumerate(header)]
    return [",".join(cells), *(",".join(line) for line in lines)]


def archive(path, matrix, genes, barcodes, folder="filtered_matrices_mex/hg19"):
    rows = [f"{g + 1} {c + 1} {n}" for g, line in enumerate(matrix) for c, n in enumerate(line)]
    header = "%%MatrixMarket matrix coordinate integer general"
    size = f"{len(genes)} {len(barcodes)} {len(rows)}"
    texts = {
        "matrix.mtx": "\n".join([header, size, *rows]),
        "genes.tsv": "\n".join(f"ENSG{i:011}\t{gene}" for i, gene in enumerate(genes)),
        "barcodes.tsv": "\n".join(barcodes),
    }
    with tarfile.open(path, "w:gz") as tar:
        for name, text in texts.items():
            info = tarfile.TarInfo(f"{folder}/{name}")
            data = (text + "\n").encode()
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


BARCODES = ["AAACCTGA-1", "AAACCTGC-1", "AAACCTGG-1", "AAACCTGT-1"]


@pytest.mark.parametrize("inside", ["/tmp/../x", "../..", "."])
def test_10x_archive_is_unpacked_nowhere_else_whatever_its_names(folder, inside):
    archive(folder / "m.tar.gz", [[1, 2, 0, 4], [3, 0, 5, 1]], ["A", "B"], BARCODES, inside)
    labels = "".join(f"{b}\t{t}\n" for b, t in zip(BARCODES, "TBTB", strict=True))
    (folder / "a.tsv").write_text(f"barcodes\tcelltype\n{labels}")
    before = sorted(folder.parent.rglob("*"))
    toy = card("10x-archive", "m.tar.gz", "a.tsv", label_key="celltype")
    assert read_official(toy).n_cells == 4
    assert sorted(folder.parent.rglob("*")) == before


def test_10x_archive_with_its_annotation_table(folder):
    archive(folder / "m.tar.gz", [[1, 2, 0, 4], [3, 0, 5, 1]], ["TWIN", "TWIN"], BARCODES)
    rows = [f"0.1\t0.2\t{b}\t{t}" for b, t in zip(BARCODES[::-1], "TBTB", strict=True)]
    (folder / "a.tsv").write_text("\n".join(["TSNE.1\tTSNE.2\tbarcodes\tcelltype", *rows]))
    dataset = read_official(card("10x-archive", "m.tar.gz", "a.tsv", label_key="celltype"))
    assert list(dataset.labels) == ["B", "T", "B", "T"]
    assert dataset.gene_names == ("ENSG00000000000", "ENSG00000000001")
    np.testing.assert_array_equal(dataset.counts.toarray(), [[1, 3], [2, 0], [0, 5], [4, 1]])


def test_10x_archive_labelled_by_marker_genes(folder):
    counts = [[7, 0, 2, 0], [0, 3, 1, 0], [1, 1, 1, 1]]
    archive(folder / "m.tar.gz", counts, ["CD3D", "XIST", "ACTB"], BARCODES)
    markers = (Marker("CD3D", "Jurkat"), Marker("XIST", "293T"))
    dataset = read_official(card("10x-archive", "m.tar.gz", markers=markers))
    assert list(dataset.labels) == ["Jurkat", "293T"]
    assert dataset.cell_names == tuple(BARCODES[:2])


def test_annotation_that_lacks_a_cell_names_it(folder):
    archive(folder / "m.tar.gz", [[1, 2, 0, 4], [3, 0, 5, 1]], ["A", "B"], BARCODES)
    (folder / "a.tsv").write_text(f"barcodes\tcelltype\n{BARCODES[0]}\tT\n")
    with pytest.raises(InputError, match="says nothing about 3 cells, such as 'AAACCTGC-1'"):
        read_official(card("10x-archive", "m.tar.gz", "a.tsv", label_key="celltype"))


def test_damaged_archive_says_so(folder):
    (folder / "m.tar.gz").write_bytes(b"\x1f\x8b no archive")
    with pytest.raises(InputError, match="cannot be unpacked"):
        read_official(card("10x-archive", "m.tar.gz"))
