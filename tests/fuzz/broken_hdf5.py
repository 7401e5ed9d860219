"""What can be wrong inside an HDF5 file of counts, and a sound one to do it to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp
from hypothesis import strategies as st
from reading import HUGE, NAMES
from strangers import NASTY

CELLS, GENES = 12, 6


def counts() -> sp.csr_matrix:
    rng = np.random.default_rng(0)
    return sp.csr_matrix(rng.integers(0, 9, (CELLS, GENES)).astype(np.float32))


def sound_h5ad(folder: Path) -> bytes:
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
    path = folder / "sound.h5ad"
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

NAMED = ("obs/_index", "var/_index", "obs/donor", "obs/cell_type/categories")

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
        if file[node].size > 10**6:  # an earlier edit claims more than anything holds
            return
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


def strategies(inside: str = "", others: tuple[str, ...] = ()) -> st.SearchStrategy[Any]:
    """One or two edits of an AnnData that lies in the group `inside`, or of `others` beside it."""
    nodes = tuple(inside + name for name in NODES)
    node = st.sampled_from(nodes + others)
    index = st.sampled_from([inside + name for name in NAMED])
    sparse = st.sampled_from([name for name in nodes if name.endswith(("indices", "indptr"))])
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
