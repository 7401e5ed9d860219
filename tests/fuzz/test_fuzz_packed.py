"""HDF5 inside other files, damaged in any way: a modality of an h5mu file, a gzipped h5ad."""

from __future__ import annotations

import gzip
import random
import tempfile
from pathlib import Path
from typing import Any

import h5py
import psutil
import pytest
from broken_hdf5 import CELLS, sound_h5ad, strategies
from hypothesis import given
from hypothesis import strategies as st
from reading import read
from strangers import EXAMPLES, NASTY, fuzz, outcome

pytestmark = pytest.mark.slow

MODALITIES = (
    "mod",
    "mod/rna",
    "mod/prot",
    "mod/prot/X",
    "obs",
    "obs/_index",
    "obsmap",
    "obsmap/rna",
)


@pytest.fixture(scope="module")
def h5ad(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return sound_h5ad(tmp_path_factory.mktemp("sound"))


@pytest.fixture(scope="module")
def h5mu(h5ad: bytes, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file as MuData writes it: an AnnData for each modality, and obs and var of all."""
    folder = tmp_path_factory.mktemp("muon")
    (folder / "one.h5ad").write_bytes(h5ad)
    path = folder / "sound.h5mu"
    with h5py.File(folder / "one.h5ad") as one, h5py.File(path, "w") as file:
        for name in ("rna", "prot"):
            one.copy("/", file.require_group("mod"), name)
        for name in ("obs", "var"):
            one.copy(name, file)
        file["obsmap/rna"] = range(1, CELLS + 1)
        file.attrs["encoding-type"], file.attrs["encoding-version"] = "MuData", "0.1.0"
    assert read(path).n_cells == CELLS
    return path.read_bytes()


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where files are unpacked: inside the folder that may be written to."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_h5mu_with_broken_parts(tmp_path: Path, h5mu: bytes) -> None:
    seen = []
    parts = st.sampled_from(["", "", "rna", "prot", "nowhere", NASTY[10], "rna/X"])

    @fuzz("h5mu")
    @given(strategies("mod/rna/", MODALITIES), parts, st.none() | st.integers(0, len(h5mu)))
    def check(edits: list[Any], part: str, length: int | None) -> None:
        seen.append(edits)
        path = tmp_path / "strange.h5mu"
        path.write_bytes(h5mu)
        with h5py.File(path, "r+") as file:
            for edit, node, value in edits:
                edit(file, node, value)
        if length is not None and length % 4 == 0:
            path.write_bytes(path.read_bytes()[:length])
        outcome(lambda: read(path / part if part else path), tmp_path, "strange")

    check()
    assert len(seen) >= EXAMPLES["h5mu"]


def test_gzipped_hdf5_with_broken_parts_and_bytes(
    tmp_path: Path, scratch: Path, h5ad: bytes, h5mu: bytes
) -> None:
    seen = []

    @fuzz("gzipped")
    @given(
        st.booleans(), st.sampled_from(["parts", "bytes", "cut", "inside"]), st.integers(0, 2**32)
    )
    def check(many: bool, how: str, seed: int) -> None:
        seen.append(seed)
        rng = random.Random(seed)
        content = bytearray(h5mu if many else h5ad)
        if how in ("inside", "bytes"):
            for _ in range(rng.randint(1, 20)):
                content[rng.randrange(len(content))] = rng.randrange(256)
        if how == "inside":
            content = content[: rng.randrange(len(content))]
        packed = bytearray(gzip.compress(bytes(content), 1))
        if how == "parts":
            for _ in range(rng.randint(1, 5)):
                packed[rng.randrange(len(packed))] = rng.randrange(256)
        if how == "cut":
            packed = packed[: rng.randrange(1, len(packed))]
        path = tmp_path / ("strange.h5mu.gz" if many else "strange.h5ad.gz")
        path.write_bytes(packed)
        outcome(lambda: read(path), tmp_path, "strange")
        assert not list(scratch.iterdir())

    check()
    assert len(seen) >= EXAMPLES["gzipped"]


def test_gzipped_file_that_unpacks_to_more_than_there_is_room_for(
    tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = psutil.disk_usage(str(tmp_path))._replace(free=10**6)
    monkeypatch.setattr(psutil, "disk_usage", lambda _: room)
    path = tmp_path / "strange.h5ad.gz"
    path.write_bytes(gzip.compress(bytes(10**7)))
    error = outcome(lambda: read(path), tmp_path, "strange")
    assert "unpacks to more than" in str(error)
    assert not list(scratch.iterdir())
