"""HDF5 files of counts that are broken in any way: refused in words, or read as they should be."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from reading import HUGE, NAMES, read
from strangers import EXAMPLES, NASTY, fuzz, outcome

pytestmark = pytest.mark.slow

CELLS, GENES = 12, 6


def counts() -> sp.csr_matrix:
    rng = np.random.default_rng(0)
    return sp.csr_matrix(rng.integers(0, 9, (CELLS, GENES)).astype(np.float32))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a sound h5ad file with every part that impbench reads."""
    data = anndata.AnnData(
        counts(),
        obs=pd.DataFrame(
            {
                "cell_type": pd.Categorical(["a", "b"] * (CELLS // 2)),
                "donor": ["x", "y", "z"] * (CELLS // 3),
                "size": np.linspace(0, 1, CELLS),
            },
            index=[f"cell{i}" for i in range(CELLS)],
        ),
        var=pd.DataFrame({"id": range(GENES)}, index=[f"Gene{i}" for i in range(GENES)]),
        layers={"counts": counts(), "dense": counts().toarray()},
        obsm={"X_pca": np.ones((CELLS, 2))},
        uns={"note": "text", "deep": {"er": np.arange(3)}},
    )
    data.raw = data.copy()
    path = tmp_path_factory.mktemp("sound") / "sound.h5ad"
    data.write_h5ad(path)
    return path.read_bytes()


NODES = (
    *("X", "X/data", "X/indices", "X/indptr", "layers", "layers/counts", "layers/dense"),
    *("layers/counts/data", "layers/counts/indices", "layers/counts/indptr"),
    *("obs", "obs/_index", "obs/cell_type", "obs/cell_type/codes", "obs/cell_type/categories"),
    *("obs/donor", "obs/size", "var", "var/_index", "var/id", "uns", "uns/note", "uns/deep/er"),
    *("obsm", "obsm/X_pca", "varm", "obsp", "raw", "raw/X", "raw/X/indices", "raw/var"),
    *("raw/var/_index", "raw/X/indptr"),
)

STORED: dict[str, Any] = {
    "text": "text",
    "bytes": np.array([b"a", b"b\xff"]),
    "number": 7,
    "nothing": h5py.Empty("f4"),
    "no entries": np.zeros(0),
    "too few": np.arange(3),
    "too many": np.arange(999),
    "matrix": np.ones((CELLS, GENES)),
    "turned": np.ones((GENES, CELLS)),
    "cube": np.ones((2, 2, 2)),
    "nan": np.full((CELLS, GENES), np.nan),
    "infinite": np.full((CELLS, GENES), np.inf),
    "negative": np.full((CELLS, GENES), -1),
    "halves": np.full((CELLS, GENES), 2, np.float16),
    "complex": np.full((CELLS, GENES), 1 + 2j),
    "booleans": np.ones((CELLS, GENES), bool),
    "largest": np.full((CELLS, GENES), 2**64 - 1, np.uint64),
    "smallest": np.full((CELLS, GENES), -(2**63)),
    "void": np.zeros(CELLS, "V8"),
    "record": np.zeros(CELLS, [("a", "i4"), ("b", "f8")]),
    "texts": np.array(NAMES[:CELLS], dtype=object),
    "nested texts": np.array([NAMES[:GENES]] * CELLS, dtype=object),
    "repeated": np.array(["same"] * CELLS, dtype=object),
}
LINKS = {
    "dangling": h5py.SoftLink("/nowhere"),
    "itself": None,
    "root": h5py.SoftLink("/"),
    "elsewhere": h5py.ExternalLink("/etc/hostname", "/X"),
}
ATTRIBUTES: dict[str, tuple[Any, ...]] = {
    "encoding-type": (
        *("csr_matrix", "csc_matrix", "array", "dataframe", "dict", "categorical", "anndata"),
        *("string-array", "string", "rec-array", "nullable-integer", "awkward-array", "null"),
        *("pickle", NASTY[11], 7),
    ),
    "encoding-version": ("9.9.9", "", 7, "0.1.0"),
    "shape": (
        *([HUGE, HUGE], [CELLS, HUGE], [HUGE, GENES], [-1, GENES], [CELLS, 2], [CELLS]),
        *([1.5, 2.5], "wide", [2**63 - 1, 2**63 - 1], [0, 0], [10**9, GENES]),
    ),
    "_index": ("nowhere", "", 7, "cell_type"),
    "column-order": (["nowhere"], "cell_type", 7, ["size", "size"], list(NAMES[2:8])),
    "ordered": ("yes", 7),
}


def there(file: h5py.File, node: str) -> bool:
    try:
        return file.get(node) is not None
    except RuntimeError:  # an earlier edit made a circle of links
        return False


def store(file: h5py.File, node: str, value: Any) -> None:
    if there(file, node):
        attributes = dict(file[node].attrs)
        del file[node]
        file[node] = value
        file[node].attrs.update(attributes)


def link(file: h5py.File, node: str, value: Any) -> None:
    if there(file, node):
        del file[node]
        file[node] = h5py.SoftLink(f"/{node}") if value is None else value


def claim(file: h5py.File, node: str, shape: tuple[int, ...]) -> None:
    """Declare far more entries than anything holds; a file of some kilobytes can."""
    if there(file, node):
        attributes = dict(file[node].attrs)
        del file[node]
        file.create_dataset(
            node, shape, "i4", chunks=tuple(min(1000, size) for size in shape), compression="gzip"
        )
        file[node].attrs.update(attributes)


def attribute(file: h5py.File, node: str, change: tuple[str, Any]) -> None:
    if there(file, node):
        name, value = change
        file[node].attrs[name] = value


def bare(file: h5py.File, node: str, _: Any) -> None:
    if there(file, node):
        for name in list(file[node].attrs):
            del file[node].attrs[name]


def remove(file: h5py.File, node: str, _: Any) -> None:
    if there(file, node):
        del file[node]


def alter(file: h5py.File, node: str, change: tuple[str, int]) -> None:
    """Put one value of an array out of its range, or reverse it all."""
    if (
        there(file, node)
        and isinstance(file[node], h5py.Dataset)
        and file[node].dtype.kind in "iuf"
    ):
        how, at = change
        values = file[node][()]
        if np.ndim(values) == 0 or not values.size:
            return
        flat = values.reshape(-1)
        flat[at % flat.size] = {
            "far": 2**30,
            "next": GENES,
            "negative": -1 if values.dtype.kind != "u" else 0,
            "zero": 0,
        }.get(how, flat[0])
        file[node][...] = flat[::-1].reshape(values.shape) if how == "reversed" else values


def rename(file: h5py.File, node: str, value: list[str]) -> None:
    if there(file, node) and isinstance(file[node], h5py.Dataset):
        store(file, node, np.array(value, dtype=object))


def strategies() -> st.SearchStrategy[Any]:
    node = st.sampled_from(NODES)
    index = st.sampled_from(["obs/_index", "var/_index", "obs/donor", "obs/cell_type/categories"])
    sparse = st.sampled_from([name for name in NODES if name.endswith(("indices", "indptr"))])
    hows = st.sampled_from(["far", "next", "negative", "zero", "reversed"])
    changes = st.sampled_from(
        [(key, value) for key, values in ATTRIBUTES.items() for value in values]
    )
    shapes = st.sampled_from([(HUGE,), (10**6, 10**6), (HUGE, GENES), (CELLS, HUGE), (10**11,)])
    edit = st.one_of(
        st.tuples(st.just(store), node, st.sampled_from(list(STORED.values()))),
        st.tuples(st.just(attribute), node, changes),
        st.tuples(st.just(alter), sparse | node, st.tuples(hows, st.integers(0, 10**4))),
        st.tuples(st.just(claim), node, shapes),
        st.tuples(st.just(link), node, st.sampled_from(list(LINKS.values()))),
        st.tuples(st.just(remove), node, st.none()),
        st.tuples(st.just(bare), node, st.none()),
        st.tuples(st.just(rename), index, st.permutations(NAMES).map(lambda some: some[:CELLS])),
        st.tuples(st.just(rename), index, st.permutations(NAMES).map(lambda some: some[:GENES])),
    )
    return st.lists(edit, min_size=1, max_size=2)


@pytest.fixture(scope="module", autouse=True)
def ready(sound: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Let libraries load, and compile what they will, before anyone watches."""
    folder = tmp_path_factory.mktemp("ready")
    (folder / "my.h5ad").write_bytes(sound)
    write_10x(folder / "my.h5", False)
    write_loom(folder / "my.loom", False)
    for path in folder.iterdir():
        assert read(path).n_cells == CELLS


def options() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {},
        optional={
            "label_key": st.sampled_from(["cell_type", "donor", "size", NASTY[10]]),
            "batch_key": st.sampled_from(["donor", "nowhere"]),
            "layer": st.sampled_from(["dense", "raw.X", "X", NASTY[18]]),
            "scale": st.sampled_from(["counts", "lognorm", "log1p"]),
            "transpose": st.booleans(),
        },
    )


def test_h5ad_with_broken_parts(tmp_path: Path, sound: bytes) -> None:
    seen = []

    @fuzz("h5ad")
    @given(strategies(), options())
    def check(edits: list[Any], chosen: dict[str, Any]) -> None:
        seen.append(edits)
        path = tmp_path / "strange.h5ad"
        path.write_bytes(sound)
        with h5py.File(path, "r+") as file:
            for edit, node, value in edits:
                edit(file, node, value)
        outcome(lambda: read(path, **chosen), tmp_path, "strange")

    check()
    assert len(seen) >= EXAMPLES["h5ad"]


def test_h5ad_with_broken_bytes(tmp_path: Path, sound: bytes) -> None:
    seen = []

    @fuzz("h5ad bytes")
    @given(st.none() | st.integers(0, len(sound)), st.integers(0, 2**32))
    def check(length: int | None, seed: int) -> None:
        seen.append(seed)
        rng = random.Random(seed)
        content = bytearray(sound[:length])
        if length is None:
            for _ in range(rng.randint(1, 20)):
                content[rng.randrange(len(content))] = rng.randrange(256)
        path = tmp_path / "strange.h5ad"
        path.write_bytes(content)
        outcome(lambda: read(path), tmp_path, "strange")

    check()
    assert len(seen) >= EXAMPLES["h5ad bytes"]


def test_10x_h5_and_loom_with_broken_parts(tmp_path: Path) -> None:
    seen = []
    nodes = ["matrix", "matrix/data", "matrix/indices", "matrix/indptr", "matrix/shape"]
    nodes += ["matrix/barcodes", "matrix/features", "matrix/features/id", "matrix/features/name"]
    nodes += ["matrix/features/feature_type", "matrix/features/genome"]
    loom = ["matrix", "row_attrs", "col_attrs", "row_attrs/Gene", "col_attrs/CellID", "layers"]
    parts = st.sampled_from(nodes + loom)
    hows = st.sampled_from(["far", "next", "negative", "zero", "reversed"])
    shapes = st.sampled_from([(HUGE,), (HUGE, GENES), (CELLS, HUGE)])
    edits = st.one_of(
        st.tuples(st.just(store), parts, st.sampled_from(list(STORED.values()))),
        st.tuples(st.just(alter), parts, st.tuples(hows, st.integers(0, 10**4))),
        st.tuples(st.just(claim), parts, shapes),
        st.tuples(st.just(link), parts, st.sampled_from(list(LINKS.values()))),
        st.tuples(st.just(remove), parts, st.none()),
    )

    @fuzz("10x and loom")
    @given(st.lists(edits, min_size=1, max_size=2), st.booleans(), st.booleans())
    def check(edits: list[Any], is_loom: bool, two_kinds: bool) -> None:
        seen.append(edits)
        path = tmp_path / ("strange.loom" if is_loom else "strange.h5")
        (write_loom if is_loom else write_10x)(path, two_kinds)
        with h5py.File(path, "r+") as file:
            for edit, node, value in edits:
                edit(file, node, value)
        outcome(lambda: read(path), tmp_path, "strange")

    check()
    assert len(seen) >= EXAMPLES["10x and loom"]


def write_10x(path: Path, two_kinds: bool) -> None:
    matrix = counts()
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix")
        group["data"], group["indices"], group["indptr"] = (
            matrix.data.astype("i4"),
            matrix.indices.astype("i8"),
            matrix.indptr.astype("i8"),
        )
        group["shape"] = np.array([GENES, CELLS])
        group["barcodes"] = np.array([f"cell{i}".encode() for i in range(CELLS)])
        features = group.create_group("features")
        features["id"] = np.array([f"E{i}".encode() for i in range(GENES)])
        features["name"] = np.array([f"Gene{i}".encode() for i in range(GENES)])
        kinds = [b"Gene Expression"] * GENES
        kinds[0] = b"Antibody Capture" if two_kinds else kinds[0]
        features["feature_type"] = np.array(kinds)
        features["genome"] = np.array([b"GRCh38"] * GENES)


def write_loom(path: Path, layers: bool) -> None:
    with h5py.File(path, "w") as file:
        file["matrix"] = counts().toarray().T
        file["row_attrs/Gene"] = np.array([f"Gene{i}" for i in range(GENES)], dtype=object)
        file["col_attrs/CellID"] = np.array([f"cell{i}" for i in range(CELLS)], dtype=object)
        file.create_group("layers")
        if layers:
            file["layers/counts"] = counts().toarray().T
        file.create_group("row_graphs")
        file.create_group("col_graphs")
        file.create_group("attrs")["LOOM_SPEC_VERSION"] = "3.0.0"
