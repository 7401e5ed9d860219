"""HDF5 files of counts that are broken in any way: refused in words, or read as they should be."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from broken_hdf5 import (
    CELLS,
    GENES,
    LINKS,
    STORED,
    alter,
    claim,
    counts,
    link,
    remove,
    sound_h5ad,
    store,
    strategies,
)
from hypothesis import given
from hypothesis import strategies as st
from reading import HUGE, read
from strangers import EXAMPLES, NASTY, fuzz, outcome

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return sound_h5ad(tmp_path_factory.mktemp("sound"))


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
