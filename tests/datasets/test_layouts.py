"""HDF5 and Matrix Market as many programs lay it out: the right matrix, under the right names."""

import gzip
import shutil

import anndata
import h5py
import hdf5plugin
import mudata
import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.sparse as sp

from impbench.data.formats import open_noted
from impbench.data.read import FileSource, read_counts_file
from impbench.errors import InputError

CELLS = [f"cell{i}" for i in range(8)]
GENES = ["nan", "NA", "None", "null", "001"]
COUNTS = np.random.default_rng(0).poisson(4.0, (8, 5)).astype("f4")


def toy(**more):
    obs = pd.DataFrame({"cell_type": list("abab") * 2}, index=CELLS)
    var = pd.DataFrame({"length": range(5)}, index=GENES)
    return anndata.AnnData(sp.csr_matrix(COUNTS), obs, var, **more)


def check(path, **options):
    dataset = read_counts_file(path, **options)
    counts = dataset.counts.toarray() if sp.issparse(dataset.counts) else dataset.counts
    np.testing.assert_array_equal(counts, COUNTS)
    assert dataset.cell_names == tuple(CELLS)
    assert dataset.gene_names == tuple(GENES)
    return dataset


def refused(path, **options):
    with pytest.raises(InputError) as caught:
        read_counts_file(path, **options)
    assert str(path) in str(caught.value)
    return str(caught.value)


def refusal(path, **options):
    message = refused(path, **options)
    assert "damaged" not in message
    return message


# ---- h5ad


@pytest.mark.parametrize("how", [hdf5plugin.Zstd(), hdf5plugin.LZ4(), hdf5plugin.BZip2()], ids=repr)
def test_compression_of_hdf5plugin_is_read(tmp_path, how):
    toy().write_h5ad(
        tmp_path / "my.h5ad", compression=how.filter_id, compression_opts=how.filter_options
    )
    check(tmp_path / "my.h5ad")


def test_unknown_compression_is_named_and_not_called_damage(tmp_path):
    toy().write_h5ad(tmp_path / "my.h5ad")
    with h5py.File(tmp_path / "my.h5ad", "r+") as file:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((4,))
        properties.set_filter(65000, h5py.h5z.FLAG_OPTIONAL)
        space = h5py.h5s.create_simple((8,))
        h5py.h5d.create(file["obs"].id, b"odd", h5py.h5t.NATIVE_INT32, space, properties)
    message = refusal(tmp_path / "my.h5ad")
    assert "obs/odd is compressed with HDF5 filter 65000" in message
    assert "pip install hdf5plugin" in message


@pytest.mark.parametrize("name", ["my.h5ad.gz", "my.loom.gz", "my.h5"])
def test_h5ad_is_read_compressed_and_under_another_ending(tmp_path, name):
    toy().write_h5ad(tmp_path / "plain")
    content = (tmp_path / "plain").read_bytes()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    check(tmp_path / name, label_key="cell_type")


def test_slot_that_cannot_be_read_is_passed_over_and_said(tmp_path):
    toy(uns={"odd": np.arange(3)}).write_h5ad(tmp_path / "my.h5ad")
    with h5py.File(tmp_path / "my.h5ad", "r+") as file:
        file["uns/odd"].attrs["encoding-type"] = "of-the-future"
        file["obs/strange"] = np.arange(8)
        file["obs/strange"].attrs["encoding-type"] = "of-the-future"
    dataset = check(tmp_path / "my.h5ad", label_key="cell_type")
    assert "cannot read all of my.h5ad" in dataset.steps[0]


@pytest.mark.parametrize("side", ["obs", "var"])
def test_names_of_a_file_whose_writing_failed_are_found_or_missed_aloud(tmp_path, side):
    data = toy()
    getattr(data, side)["odd"] = [1, "a", None, 2.0, {}, (), 1, 1][: len(getattr(data, side))]
    with pytest.raises(TypeError):
        data.write_h5ad(tmp_path / "my.h5ad")
    dataset = read_counts_file(tmp_path / "my.h5ad", label_key="cell_type")
    assert f"writing my.h5ad was not finished: {side}" in dataset.steps[0]
    assert dataset.cell_names == tuple(CELLS)
    assert list(dataset.labels) == list("abab") * 2
    if side == "var":
        assert dataset.gene_names == tuple(GENES)
    else:  # anndata writes var after obs
        assert any("names no genes" in step for step in dataset.steps)


@pytest.mark.parametrize("column", ["obs_names", "Barcode", "index", "anything"])
def test_names_kept_in_a_column_become_the_names(tmp_path, column):
    data = toy()
    data.obs[column] = list(data.obs_names)
    data.var["gene_symbols"] = list(data.var_names)
    data.obs_names, data.var_names = list("01234567"), list("01234")
    data.write_h5ad(tmp_path / "my.h5ad")
    assert f"obs['{column}']" in " ".join(check(tmp_path / "my.h5ad").steps)


def test_names_that_are_nowhere_are_missed_aloud(tmp_path, caplog):
    anndata.AnnData(COUNTS).write_h5ad(tmp_path / "my.h5ad")
    dataset = read_counts_file(tmp_path / "my.h5ad")
    assert "names no cells" in dataset.steps[0]
    assert "names no genes" in caplog.text


def test_backed_anndata_gives_its_counts(tmp_path):
    from impbench.apply.layer import lay_out
    from impbench.apply.options import Options
    from impbench.data.read import from_anndata

    data = toy()
    data.raw = data.copy()
    data.write_h5ad(tmp_path / "my.h5ad")
    backed = anndata.read_h5ad(tmp_path / "my.h5ad", backed="r")
    for layer in (None, "X", "raw.X"):
        dataset = from_anndata(backed, "my.h5ad", layer=layer)
        np.testing.assert_array_equal(dataset.counts.toarray(), COUNTS)
    np.testing.assert_array_equal(
        lay_out(backed, "the AnnData", Options()).observed.dense_counts, COUNTS
    )


# ---- h5mu


@pytest.fixture
def multi(tmp_path):
    protein = anndata.AnnData(COUNTS[:, :2] + 7, toy().obs[[]], pd.DataFrame(index=["CD4", "CD8"]))
    data = toy()
    del data.obs["cell_type"]
    both = mudata.MuData({"rna": data, "prot": protein})
    both.obs["cell_type"] = list("abab") * 2
    both.write_h5mu(tmp_path / "my.h5mu")
    return tmp_path / "my.h5mu"


def test_rna_of_several_modalities_is_read_with_labels_kept_for_all(multi):
    dataset = check(multi, label_key="cell_type")
    assert dataset.steps[0] == "read the modality 'rna' and left out prot"
    assert list(dataset.labels) == list("abab") * 2


def test_modality_is_named_behind_the_file(multi):
    assert read_counts_file(multi / "prot").gene_names == ("CD4", "CD8")
    with pytest.raises(InputError, match="no modality 'atac'; it holds prot, rna"):
        read_counts_file(multi / "atac")
    source = FileSource(path=str(multi / "prot"), genes=0)
    assert source.spec == "my-prot[genes=0]"
    assert source.files() == (multi,)


def test_modalities_of_unknown_names_are_offered(tmp_path):
    mudata.MuData({"a": toy(), "b": toy()}).write_h5mu(tmp_path / "my.h5mu")
    assert f"{tmp_path / 'my.h5mu'}/a" in refusal(tmp_path / "my.h5mu")
    check(tmp_path / "my.h5mu" / "b")


# ---- loom


def write_velocyto(path, **attributes):
    loompy = pytest.importorskip("loompy")
    parts = np.random.default_rng(1).multinomial(1, [0.6, 0.3, 0.1], (5, 8))
    share = {"spliced": 0.6, "unspliced": 0.3, "ambiguous": 0.1}
    layers = {"": COUNTS.T} | {
        key: np.floor(COUNTS.T * s) + parts[0, 0, 0] for key, s in share.items()
    }
    row = {"Gene": np.array(GENES), "Accession": np.array([f"E{i}" for i in range(5)])}
    column = {"CellID": np.array(CELLS), "ClusterName": np.array(list("abab") * 2)}
    loompy.create(str(path), layers, row | attributes, column)
    return layers


def test_main_matrix_of_velocyto_is_the_counts_and_its_parts_are_layers(tmp_path):
    layers = write_velocyto(tmp_path / "my.loom")
    dataset = check(tmp_path / "my.loom", label_key="ClusterName")
    assert dataset.steps[0] == "counts read from X"
    for key in ("spliced", "unspliced", "ambiguous"):
        part = read_counts_file(tmp_path / "my.loom", layer=key)
        np.testing.assert_array_equal(part.counts.toarray(), layers[key].T)


def test_repeated_symbols_of_a_loom_give_way_to_accessions(tmp_path):
    write_velocyto(tmp_path / "my.loom", Gene=np.array(["A", "A", "B", "C", "D"]))
    assert read_counts_file(tmp_path / "my.loom").gene_names == tuple(f"E{i}" for i in range(5))


@pytest.mark.parametrize("name", [None, "obs_names", "CellID", "my_barcodes"])
def test_loom_that_anndata_wrote_keeps_its_names(tmp_path, name):
    pytest.importorskip("loompy")
    data = toy()
    data.obs.index.name = name
    data.write_loom(tmp_path / "my.loom")
    check(tmp_path / "my.loom", label_key="cell_type")


def test_loom_without_names_is_read_aloud(tmp_path, caplog):
    with h5py.File(tmp_path / "my.loom", "w") as file:
        file["matrix"] = COUNTS.T
        file.create_group("row_attrs")
        file.create_group("col_attrs")
    dataset = read_counts_file(tmp_path / "my.loom")
    np.testing.assert_array_equal(dataset.counts.toarray(), COUNTS)
    assert "names no cells" in dataset.steps[0]
    assert "names no genes" in caplog.text


# ---- 10x


def write_10x_group(group, names, values=COUNTS):
    matrix = sp.csr_matrix(values)
    for key in ("data", "indices", "indptr"):
        group[key] = getattr(matrix, key).astype("i8")
    group["shape"] = np.array(values.T.shape)
    group["barcodes"] = np.array(CELLS, "S")
    return np.array([f"E{i}" for i in range(len(names))], "S"), np.array(names, "S")


def test_genes_of_10x_output_keep_names_that_look_missing(tmp_path):
    kinds = ["Gene Expression"] * 5 + ["Antibody Capture"]
    with h5py.File(tmp_path / "my.h5", "w") as file:
        values = np.hstack([COUNTS, COUNTS[:, :1]])
        ids, names = write_10x_group(file.create_group("matrix"), [*GENES, "CD3"], values)
        file["matrix/features/id"], file["matrix/features/name"] = ids, names
        file["matrix/features/feature_type"] = np.array(kinds, "S")
        file["droplet_latents/background_fraction"] = np.ones(8)  # CellBender's
    assert "1 features that are Antibody Capture" in check(tmp_path / "my.h5").steps[0]


def test_several_genomes_of_10x_version_2_are_offered(tmp_path):
    with h5py.File(tmp_path / "my.h5", "w") as file:
        for genome, values in (("hg19", COUNTS), ("mm10", COUNTS + 1)):
            group = file.create_group(genome)
            group["genes"], group["gene_names"] = write_10x_group(group, GENES, values)
    message = refusal(tmp_path / "my.h5")
    assert "2 genomes (hg19, mm10)" in message
    assert f"{tmp_path / 'my.h5'}/hg19" in message
    check(tmp_path / "my.h5" / "hg19")
    with h5py.File(tmp_path / "my.h5", "r+") as file:
        del file["mm10"]
    check(tmp_path / "my.h5")


# ---- matrix.mtx


def write_folder(folder, prefix="", features="features.tsv", pack=False, turned=False):
    folder.mkdir(exist_ok=True)
    counts = sp.csr_matrix(COUNTS.astype(int))
    scipy.io.mmwrite(folder / f"{prefix}matrix.mtx", counts if turned else counts.T)
    lines = [f"E{i}\t{gene}\tGene Expression\n" for i, gene in enumerate(GENES)]
    (folder / f"{prefix}{features}").write_text("".join(lines))
    (folder / f"{prefix}barcodes.tsv").write_text("".join(f"{cell}\n" for cell in CELLS))
    for path in list(folder.iterdir()) if pack else []:
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()


@pytest.mark.parametrize("pack", [True, False])
@pytest.mark.parametrize("features", ["features.tsv", "genes.tsv"])
@pytest.mark.parametrize("prefix", ["", "GSM6567159_PDAC2_"])
@pytest.mark.parametrize("turned", [True, False])
def test_triplet_is_read_whatever_its_prefix_and_packing(tmp_path, prefix, features, pack, turned):
    write_folder(tmp_path / "f", prefix, features, pack, turned)
    check(tmp_path / "f")
    check(tmp_path / "f" / f"{prefix}matrix.mtx{'.gz' if pack else ''}")


def test_folder_of_several_samples_offers_them(tmp_path):
    write_folder(tmp_path, "GSM1_a_")
    write_folder(tmp_path, "GSM2_b_", pack=False)
    assert "2 matrices (GSM1_a_matrix.mtx, GSM2_b_matrix.mtx)" in refusal(tmp_path)
    check(tmp_path / "GSM2_b_matrix.mtx")


def test_folder_above_the_matrices_offers_them(tmp_path):
    write_folder(tmp_path / "raw")
    shutil.copytree(tmp_path / "raw", tmp_path / "filtered")
    assert f"{tmp_path / 'filtered'}, {tmp_path / 'raw'}" in refusal(tmp_path)


def test_header_of_the_names_is_passed_over_and_one_name_too_many_is_not(tmp_path):
    write_folder(tmp_path)
    barcodes = tmp_path / "barcodes.tsv"
    names = barcodes.read_text()
    barcodes.write_text(f"barcode\n{names}")
    assert "first line of barcodes.tsv" in check(tmp_path).steps[0]
    barcodes.write_text(f"{names}one_more\n")
    assert "claims 5 genes × 8 cells" in refused(tmp_path)


def test_names_of_genes_alone_are_found_beside_notes_of_the_file(tmp_path):
    write_folder(tmp_path)
    data, notes = open_noted(tmp_path)
    assert notes == ()
    assert list(data.var["gene_ids"]) == [f"E{i}" for i in range(5)]


# ---- labels


@pytest.mark.parametrize("text", ["nan", "NaN", "NA", "None", "<NA>", "null"])
def test_text_of_a_missing_label_is_left_out_and_said(tmp_path, text, caplog):
    data = toy()
    data.obs["cell_type"] = ["a", "b", text, "a", "b", text, "a", "b"]
    data.write_h5ad(tmp_path / "my.h5ad")
    dataset = read_counts_file(tmp_path / "my.h5ad", label_key="cell_type")
    assert dataset.n_cells == 6
    assert dataset.n_groups == 2
    said = f"took the text '{text}' in obs['cell_type'] of 2 cells as missing"
    assert said in dataset.steps
    assert said in caplog.text
    message = refusal(tmp_path / "my.h5ad", batch_key="cell_type")
    assert "missing for 2 cells" in message


def test_unknown_is_a_label_until_it_is_asked_out(tmp_path, caplog):
    data = toy()
    data.obs["cell_type"] = ["a", "b", "Unknown", "a", "b", "Unknown", "a", "b"]
    data.write_h5ad(tmp_path / "my.h5ad")
    path = tmp_path / "my.h5ad"
    assert read_counts_file(path, label_key="cell_type").n_groups == 3
    assert "--drop-label 'Unknown' leaves them out" in caplog.text
    source = FileSource(
        path=str(path), label_key="cell_type", drop_labels=("Unknown",), min_cells=1
    )
    assert source.load().n_groups == 2
    assert source.load().n_cells == 6
    message = refusal(path, label_key="cell_type", drop_labels=["unknown"])
    assert "did you mean 'Unknown'?" in message
