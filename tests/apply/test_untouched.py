"""`impute` adds to a copy of the file: object by object of HDF5, nothing else changes."""

from __future__ import annotations

import gzip
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata
import h5py
import hdf5plugin
import numpy as np
import pytest
import scipy.sparse as sp

from impbench.apply.file import impute_file
from impbench.context import Context
from impbench.errors import InputError
from impbench.imputer import Imputed, Imputer, Observed

FILES = sorted((Path(__file__).parents[1] / "data" / "anndata_versions").glob("*.h5ad"))
ADDED = ("layers/imputed", "obsm/X_imputed", "uns/imputed")


@dataclass(frozen=True)
class WithEmbedding(Imputer):
    """Returns the counts, and their first two columns as embedding."""

    name = "with-embedding"
    summary = "For tests"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        counts = observed.dense_counts
        return Imputed(counts, "counts", embedding=counts[:, :2].astype(np.float32))


def slots(path: Path) -> dict[str, Any]:
    """Everything HDF5 knows of every object of a file."""
    found: dict[str, Any] = {}

    def look(name: str, item: Any) -> None:
        attributes = {
            key: (
                item.attrs.get_id(key).dtype,
                item.file[value].name  # categories, as AnnData 0.7 stored them
                if isinstance(value, h5py.Reference)
                else np.asarray(value).tolist(),
            )
            for key, value in item.attrs.items()
        }
        facts: tuple[Any, ...] = ("group",)
        if isinstance(item, h5py.Dataset):
            plist = item.id.get_create_plist()
            filters = [plist.get_filter(i) for i in range(plist.get_nfilters())]
            stored = item.asstr()[()] if h5py.check_string_dtype(item.dtype) else item[()]
            # Bytes where there are numbers: NaN is equal to itself then.
            value = stored.tobytes() if item.dtype.kind in "iufb" else np.asarray(stored).tolist()
            layout = (item.dtype, item.shape, item.maxshape, item.chunks, filters)
            facts = ("dataset", *layout, item.id.get_type().get_size(), value)
        found[name] = (facts, attributes)

    with h5py.File(path, "r") as file:
        look("/", file)
        file.visititems(look)
    return found


def assert_untouched(before: Path, after: Path, added: tuple[str, ...] = ADDED) -> None:
    was, now = slots(before), slots(after)
    new = {name for name in now if name not in was}
    assert all(name.startswith(added) for name in new), new
    assert {name: now.get(name) for name in was} == was


def test_files_of_three_versions_are_there() -> None:
    assert [path.stem for path in FILES] == ["anndata-0.10.9", "anndata-0.12.19", "anndata-0.7.8"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_nothing_changes_but_what_is_added(path: Path, sparse: bool, tmp_path: Path) -> None:
    out = tmp_path / "out.h5ad"
    impute_file(path, out, WithEmbedding(), sparse=sparse)
    assert_untouched(path, out)
    before, after = anndata.read_h5ad(path), anndata.read_h5ad(out)
    counts = before.layers["counts"].toarray()
    sizes = counts.sum(axis=1)
    expected = np.log2(1 + counts / (sizes / np.median(sizes))[:, None])
    layer = after.layers["imputed"]
    assert sp.issparse(layer) == sparse
    assert layer.dtype == np.float32
    np.testing.assert_allclose(layer.toarray() if sparse else layer, expected, rtol=1e-5)
    assert np.array_equal(after.obsm["X_imputed"], counts[:, :2])
    assert after.uns["imputed"]["imputer"] == "with-embedding"
    assert after.uns["imputed"]["scale"] == "log2(1 + count / size factor)"
    assert after.uns["imputed"]["log_base"] == 2.0


def compressed(path: Path, keywords: dict[str, Any]) -> None:
    counts = sp.csr_matrix(np.random.default_rng(0).poisson(1.0, (40, 30)).astype(np.float32))
    data = anndata.AnnData(counts)
    data.write_h5ad(path)
    # Not through AnnData: it would compress texts too, which some of these filters cannot.
    with h5py.File(path, "r+") as file:
        del file["X/data"]
        file["X"].create_dataset("data", data=counts.data, chunks=True, **keywords)


@pytest.mark.parametrize(
    "keywords",
    [
        {"compression": "gzip", "compression_opts": 7},
        {"compression": "lzf"},
        hdf5plugin.Zstd(clevel=5),
        hdf5plugin.Blosc(cname="lz4", clevel=3),
        hdf5plugin.Bitshuffle(),
        hdf5plugin.LZ4(),
    ],
    ids=["gzip", "lzf", "zstd", "blosc", "bitshuffle", "lz4"],
)
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_what_is_added_is_compressed_as_the_file_is(
    keywords: Any, sparse: bool, tmp_path: Path
) -> None:
    path, out = tmp_path / "in.h5ad", tmp_path / "out.h5ad"
    compressed(path, dict(keywords))
    impute_file(path, out, "no-imputation", sparse=sparse)
    assert_untouched(path, out)
    with h5py.File(out) as file:
        ours, theirs = file["layers/imputed/data" if sparse else "layers/imputed"], file["X/data"]
        numbers = [
            [plist.get_filter(i)[0] for i in range(plist.get_nfilters())]
            for plist in (ours.id.get_create_plist(), theirs.id.get_create_plist())
        ]
        assert numbers[0] == numbers[1]
        assert ours.compression_opts == theirs.compression_opts
    # Every chunk of it can be read back.
    assert anndata.read_h5ad(out).layers["imputed"].shape == (40, 30)


def test_an_uncompressed_file_stays_so(tmp_path: Path) -> None:
    path, out = tmp_path / "in.h5ad", tmp_path / "out.h5ad"
    compressed(path, {})
    impute_file(path, out, "no-imputation")
    with h5py.File(out) as file:
        assert file["layers/imputed"].chunks is None


def test_a_packed_h5ad_is_unpacked_and_otherwise_untouched(tmp_path: Path) -> None:
    packed, out = tmp_path / "in.h5ad.gz", tmp_path / "out.h5ad"
    with FILES[0].open("rb") as plain, gzip.open(packed, "wb") as file:
        shutil.copyfileobj(plain, file)
    impute_file(packed, out, "no-imputation")
    assert_untouched(FILES[0], out)


@pytest.mark.parametrize("place", ADDED)
def test_a_name_that_is_taken_is_refused_before_imputing(place: str, tmp_path: Path) -> None:
    path, out = tmp_path / "in.h5ad", tmp_path / "out.h5ad"
    data = anndata.read_h5ad(FILES[0])
    group, _, name = place.partition("/")
    getattr(data, group)[name] = {"kept": 1} if group == "uns" else np.ones(data.shape)
    data.write_h5ad(path)
    with pytest.raises(InputError, match=rf"{place} already; .*--key-added .*--overwrite"):
        impute_file(path, out, Never())
    assert list(tmp_path.iterdir()) == [path]
    impute_file(path, out, "no-imputation", key_added="mine")
    assert_untouched(path, out, tuple(f"{at[: -len('imputed')]}mine" for at in ADDED))
    impute_file(path, out, WithEmbedding(), overwrite=True)
    after = anndata.read_h5ad(out)
    assert after.uns["imputed"]["imputer"] == "with-embedding"
    assert after.obsm["X_imputed"].shape == (data.n_obs, 2)
    assert after.layers["imputed"].max() > 1


@dataclass(frozen=True)
class Never(Imputer):
    """Fails where it should not even be asked."""

    name = "never"
    summary = "For tests"

    def impute(self, observed: Observed, context: Context) -> Imputed:
        raise AssertionError("imputed before everything was found sound")


def test_a_file_of_an_old_layout_is_refused_before_imputing(tmp_path: Path) -> None:
    """AnnData before 0.7 stored obsm as one table."""
    path = tmp_path / "in.h5ad"
    shutil.copyfile(FILES[0], path)
    with h5py.File(path, "r+") as file:
        del file["obsm"]
        file["obsm"] = np.zeros(30, dtype=[("X_pca", "f4", (2,))])
    with pytest.raises(InputError, match="obsm is laid out as AnnData did before"):
        impute_file(path, tmp_path / "out.h5ad", Never())


def test_anndata_0_7_can_read_on_what_it_wrote(tmp_path: Path) -> None:
    """It fails on groups marked as dict, which later versions write and do not need."""
    path = next(path for path in FILES if path.stem == "anndata-0.7.8")
    impute_file(path, tmp_path / "out.h5ad", WithEmbedding())
    with h5py.File(tmp_path / "out.h5ad") as file:
        assert "encoding-type" not in file["uns/imputed"].attrs
    assert anndata.read_h5ad(tmp_path / "out.h5ad").uns["imputed"]["seed"] == 1


def test_genes_by_cells_come_back_as_they_lie(tmp_path: Path) -> None:
    path, out = tmp_path / "in.h5ad", tmp_path / "out.h5ad"
    counts = np.random.default_rng(0).poisson(1.0, (30, 20)).astype(np.float32)
    anndata.AnnData(sp.csr_matrix(counts.T)).write_h5ad(path)
    for sparse in (False, True):
        impute_file(
            path, out, WithEmbedding(), transpose=True, output_scale="counts", sparse=sparse
        )
        assert_untouched(path, out, ("layers/imputed", "varm/X_imputed", "uns/imputed"))
        after = anndata.read_h5ad(out)
        layer = after.layers["imputed"]
        np.testing.assert_allclose(layer.toarray() if sparse else layer, counts.T)
        assert np.array_equal(after.varm["X_imputed"], counts[:, :2])


def test_the_input_may_be_the_output(tmp_path: Path) -> None:
    path = tmp_path / "in.h5ad"
    shutil.copyfile(FILES[0], path)
    impute_file(path, path, "no-imputation")
    assert_untouched(FILES[0], path)
