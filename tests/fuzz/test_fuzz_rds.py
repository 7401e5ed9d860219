"""R's files that are broken in any way: refused in words, or read as they should be."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import struct
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import read
from strangers import EXAMPLES, fuzz, outcome

from impbench.data.r_files import parser

pytestmark = pytest.mark.slow

RDS = Path(__file__).parents[1] / "data" / "rds"
NAMES = ("full_3_none", "full_2_none", "sce_dgC", "sce_delayed", "sce_coded", "plain_frame")
PACK = {"plain": bytes, "gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}

WORDS = (
    *(0, 1, 2, 5, 7, -1, -2, -(2**31), 2**31 - 1, 2**30, 10**6, 255),
    # Types: symbol, list, closure, environment, promise, code, vectors, byte code, S4, references.
    *(1, 2, 3, 4, 5, 6, 9, 10, 13, 14, 16, 19, 20, 21, 24, 25, 238, 242, 249, 252, 253, 254),
    *(0x10D, 0x20D, 0x30D, 0x402, 0x1FF, 0x2FF, 0x40009, 0x80009, 0x319, 0x313),
)
"""Whole numbers of 32 bits: what R writes as a type, a length, a dimension or a reference."""


def words(content: bytes) -> list[int]:
    """Where in `content` R keeps types and lengths."""
    places = []

    class Noting(parser._Parser):
        def parse_int(self) -> int:
            places.append(self.file.tell() + 2)
            return int(super().parse_int())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parser, "_Parser", Noting)
        parser.parse_r(content)
    return places


@pytest.fixture(scope="module")
def sound() -> list[tuple[bytes, list[int]]]:
    """The unpacked bytes of sound files, and where their types and lengths are."""
    contents = []
    for name in NAMES:
        content = (RDS / f"{name}.rds").read_bytes()
        contents.append(gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content)
    return [(content, words(content)) for content in contents]


def spoilt(content: bytes, places: list[int], rng: random.Random) -> bytes:
    spoilt = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        how = rng.random()
        if how < 0.5:
            struct.pack_into(">i", spoilt, rng.choice(places), rng.choice(WORDS))
        elif how < 0.7:
            struct.pack_into(">i", spoilt, rng.randrange(14, len(content) - 4), rng.choice(WORDS))
        elif how < 0.9:
            spoilt[rng.randrange(len(content))] = rng.randrange(256)
        else:
            at = rng.choice(places)
            spoilt[at : at + rng.choice([4, 8, 12])] = b""
            break
    return bytes(spoilt)


def test_rds_with_broken_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sound: list[tuple[bytes, list[int]]]
) -> None:
    # What is asked of R is asked in tests/datasets/test_rds.py; here nothing may start a program.
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("R_HOME", raising=False)
    path = tmp_path / "strange.rds"
    for content, _ in sound[:4]:
        path.write_bytes(content)
        assert read(path).n_cells == 6
    seen = []

    @fuzz("rds")
    @given(st.integers(0, len(sound) - 1), st.sampled_from(list(PACK)), st.integers(0, 2**32))
    def check(which: int, how: str, seed: int) -> None:
        seen.append(seed)
        rng = random.Random(seed)
        content, places = sound[which]
        packed = PACK[how](spoilt(content, places, rng) if rng.random() < 0.8 else content)
        if rng.random() < 0.2:
            packed = packed[: rng.randrange(len(packed))] or b"X"
        path.write_bytes(packed)
        outcome(lambda: read(path), tmp_path, "strange")

    check()
    assert len(seen) >= EXAMPLES["rds"]


def test_rds_that_claims_or_unpacks_to_more_than_there_is_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = psutil.virtual_memory()._replace(available=10**6)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: room)
    path = tmp_path / "strange.rds"
    path.write_bytes(gzip.compress(b"X\n" + bytes(10**7)))
    error = outcome(lambda: read(path), tmp_path, "strange")
    assert "unpacks to more than" in str(error)
    # R keeps 1:10000000 as its ends; a matrix without names can have any number of rows.
    for name in ("sequence", "rows"):
        path.write_bytes((RDS / f"claims_{name}.rds").read_bytes())
        error = outcome(lambda: read(path), tmp_path, "strange")
        assert "claims" in str(error)
