"""Packed records and rows of methods that anyone may have sent, and what a merge makes of them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strangers import EXAMPLES, NASTY, each_place, fuzz, outcome, spoilings
from test_fuzz_runs import FAILED, MANIFEST, RECORD, as_json, check_page

from impbench.errors import ImpbenchError
from impbench.merging.merge import merge, read_run
from impbench.merging.row_file import SubmittedMethod, _digest, write_row
from impbench.registry import registry
from impbench.report import write_report
from impbench.results.packed import PACKED, pack
from impbench.results.store import Store

pytestmark = pytest.mark.slow

KNOWN = {**MANIFEST, "keys": [RECORD.key, FAILED.key]}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    store = Store.create(tmp_path / "strange", ())
    store.write_packed([RECORD, FAILED])
    store.write_manifest(KNOWN)
    return store.folder


def put_together(path: Path, folder: Path) -> Any:
    return merge([read_run(path)], folder / "out", registry(), replaces=True)


def test_packed_records_of_strangers(run: Path) -> None:
    seen = []
    path, good = run / PACKED, pack([RECORD, FAILED])
    texts = st.sampled_from([*NASTY, RECORD.key, RECORD.to_json(), None, 1, 1.5, b"x", [], ["a"]])
    tables = st.dictionaries(
        st.sampled_from(["key", "record", "dataset", "../a"]),
        st.lists(texts, min_size=2, max_size=2),
        max_size=3,
    )

    def spoilt(seed: int) -> bytes:
        rng, data = np.random.default_rng(seed), bytearray(good)
        for _ in range(rng.integers(1, 20)):
            data[rng.integers(len(data))] = rng.integers(256)
        return bytes(data[: rng.integers(len(data))] if seed % 3 == 0 else data)

    def written(columns: dict[str, Any]) -> bytes | None:
        buffer = io.BytesIO()
        try:
            pd.DataFrame(columns).to_parquet(buffer, index=False)
        except (ValueError, TypeError):
            return None
        return buffer.getvalue()

    @fuzz("packed records")
    @given(st.integers(0, 2**32).map(spoilt) | tables.map(written) | st.binary(max_size=50))
    def check(content: bytes | None) -> None:
        path.write_bytes(content or b"PAR1")

        def read() -> Any:
            store = Store(run)
            store.readable([RECORD.key, FAILED.key])
            return store.record(RECORD.key)

        seen.append(outcome(read, run))

    check()
    assert len(seen) >= EXAMPLES["packed records"]
    named = [item for item in seen if isinstance(item, ImpbenchError)]
    assert named
    assert all(PACKED in str(item) for item in named)
    assert all(item in (RECORD, None) for item in seen if not isinstance(item, ImpbenchError))


def test_rows_of_strangers(run: Path, tmp_path: Path) -> None:
    seen = []
    path = tmp_path / "strange.json"
    write_row([SubmittedMethod("magic", "1")], Store.open(run).read(), path)
    good = json.loads(path.read_text())
    del good["digest"]

    def signed(tree: Any) -> bytes:
        if isinstance(tree, dict):
            tree = {**tree, "digest": _digest(tree)}
        return as_json(tree).encode()

    @fuzz("rows")
    @given(spoilings(good).map(signed) | st.binary(max_size=30))
    def check(content: bytes) -> None:
        path.write_bytes(content)
        seen.append(outcome(lambda: put_together(path, tmp_path), tmp_path))

    check()
    assert len(seen) >= EXAMPLES["rows"]
    assert any(not isinstance(item, ImpbenchError) for item in seen), "some are sound"
    for tree in each_place({**good, "manifest": {}, "scores": {}}):
        path.write_bytes(signed(tree))
        outcome(lambda: read_run(path), tmp_path)


def test_a_page_is_drawn_of_merged_strangers(run: Path, tmp_path: Path) -> None:
    tree = json.loads((run / "manifest.json").read_text())
    for name in NASTY[::6]:
        tree["command"] = tree["suite"]["name"] = tree["environment"]["cpu"] = name
        tree["merged"] = [
            {"name": name, "command": name, "environment": {"versions": {name: name}}}
        ]
        (run / "manifest.json").write_text(as_json(tree))
        merged = outcome(lambda: put_together(run, tmp_path), tmp_path)
        check_page(write_report(merged.stored))
