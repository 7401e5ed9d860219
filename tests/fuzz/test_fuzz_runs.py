"""Folders of runs that anyone may have written: records, manifests, pictures, and their report."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strangers import EXAMPLES, NASTY, each_place, fuzz, outcome, spoilings, texts

from impbench.errors import ImpbenchError
from impbench.regress.measured import measure
from impbench.report import write_report
from impbench.results.record import Cost, Job, Record
from impbench.results.store import Store

pytestmark = pytest.mark.slow

RECORD = Record(
    key="0" * 16,
    job=Job("sim_equal", "clustering", "magic", {"t": 5}, 1),
    status="ok",
    metrics=("ari", "wall-seconds"),
    scores={"ari": 0.5, "wall-seconds": 2.0},
    cost=Cost(2.0, 2.0, 2**20),
    info={"steps": ["a"]},
    versions={"numpy": "2"},
    started="2026-01-01T00:00:00+00:00",
)
FAILED = dataclasses.replace(
    RECORD, key="1" * 16, status="failed", reason="why", log="how", scores={}, cost=None
)
MANIFEST = {
    "suite": {"name": "s", "title": "t", "description": "d"},
    "command": "impbench run",
    "scoring": "1",
    "started": "2026-01-01T00:00:00+00:00",
    "finished": "2026-01-01T00:00:00+00:00",
    "interrupted": False,
    "keys": ["1" * 16],
    "seeds": [1, 2],
    "datasets": {
        "sim_equal": {
            "title": "t",
            "n_cells": 5,
            "zero_fraction": 0.5,
            "simulated": True,
            "steps": ["a"],
            "facts": {"citation": "c"},
            "fingerprint": "f",
        }
    },
    "protocols": {"clustering": {"summary": "s", "purpose": "p", "params": {"a": 1}}},
    "problems": [
        {
            "dataset": "sim_equal",
            "protocol": "clustering",
            "metrics": ["ari"],
            "conventions": ["c"],
            "has_truth": False,
        }
    ],
    "imputers": {"magic": {"name": "magic", "version": "1", "params": {"t": 5}, "devices": []}},
    "skipped": [{"dataset": "d", "protocol": "p", "reason": "r"}],
    "broken_plugins": [{"name": "n", "reason": "r"}],
    "environment": {
        "impbench": "0.1",
        "cores": 2,
        "memory_bytes": 10,
        "versions": {"numpy": "2"},
        "timeout": 1.0,
        "memory_limit": 1,
    },
}


def as_json(value: Any) -> str:
    """JSON as Python reads it, NaN included; half characters are written as they are."""
    return json.dumps(value)


def documents(good: Any) -> st.SearchStrategy[bytes]:
    whole = as_json(good)
    raw = st.sampled_from(
        ["[" * 10**5, '{"a":' * 10**4, "9" * 5000, "null", "[]", '"text"', "1e999"]
    )
    return st.one_of(
        *[spoilings(good).map(as_json).map(str.encode)] * 3,
        st.integers(0, len(whole)).map(lambda length: whole[:length].encode()),
        raw.map(str.encode),
        st.binary(max_size=30),
    )


def check_page(page: Path) -> None:
    """No script but ours, no handler, no link that runs, nothing that steers a terminal."""
    text = page.read_text(encoding="utf-8")
    assert text.count("<script") == 1
    tags = [re.sub(QUOTED, "", tag) for tag in re.findall(r"<[^>]*>", text)]
    assert not [tag for tag in tags if re.search(r"\son\w+\s*=|javascript:", tag)]
    assert not re.search(r"""(?:href|src)\s*=\s*["']?\s*(?:javascript|data:text)""", text, re.I)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\ud800]", text)


QUOTED = r"\"[^\"]*\"|'[^']*'"


def report(folder: Path) -> Path:
    """What `impbench report` does."""
    stored = Store.open(folder).read()
    stored.store.write_results(stored.records)
    page = write_report(stored)
    check_page(page)
    return page


@pytest.fixture
def run(tmp_path: Path) -> Path:
    store = Store.create(tmp_path / "strange")
    for record in (RECORD, FAILED):
        store.write_record(record)
    store.write_manifest(MANIFEST)
    return store.folder


@pytest.fixture(autouse=True)
def ready(run: Path) -> None:
    """Let libraries load and fonts be listed before anyone watches."""
    assert report(run).is_file()


def test_records_of_strangers(run: Path) -> None:
    seen = []
    path = run / "records" / f"{RECORD.key}.json"
    good = json.loads(RECORD.to_json())

    def read() -> Any:
        store = Store(run)
        record = store.record(RECORD.key)
        store.readable([RECORD.key])
        if record is not None:
            assert record.key == RECORD.key
            assert all(isinstance(value, float) for value in record.scores.values())
        return record

    @fuzz("records")
    @given(documents(good))
    def check(content: bytes) -> None:
        seen.append(content)
        path.write_bytes(content)
        outcome(read, run)

    check()
    assert len(seen) >= EXAMPLES["records"]
    for tree in each_place(good):
        path.write_text(as_json(tree))
        outcome(read, run)


def test_run_manifests_of_strangers(run: Path) -> None:
    seen = []
    path = run / "manifest.json"

    def read() -> Any:
        with contextlib.suppress(ImpbenchError):
            measure(run)
        return report(run)

    @fuzz("run manifests")
    @given(documents(MANIFEST))
    def check(content: bytes) -> None:
        path.write_bytes(content)
        seen.append(outcome(read, run))

    check()
    assert len(seen) >= EXAMPLES["run manifests"]
    assert any(isinstance(item, Path) for item in seen), "some are sound and must be drawn"


def test_reports_of_strangers(run: Path) -> None:
    """Whole pages with figures, every text in them strange."""
    seen = []
    numbers = st.floats() | st.sampled_from([0.0, -1.0, 1e308, -1e308, 5e-324, float("inf")])

    @fuzz("reports")
    @given(st.lists(texts(), min_size=6, max_size=6), st.lists(numbers, min_size=4, max_size=4))
    def check(names: list[str], scores: list[float]) -> None:
        dataset, protocol, imputer, metric, other, title = names
        metric = "ari" if len(seen) % 2 else metric
        keys = []
        for i, score in enumerate(scores):
            key = f"{i:016x}"
            keys.append(key)
            job = Job(dataset, protocol, imputer if i < 2 else other, {title: title}, i % 2 + 1)
            facts = {
                "job": dataclasses.asdict(job),
                "key": key,
                "metrics": [metric, "wall-seconds"],
                "scores": {metric: score, "wall-seconds": score},
                "cost": {"wall_seconds": score, "cpu_seconds": score, "peak_memory": 0},
            }
            text = as_json({**json.loads(RECORD.to_json()), **facts})
            (run / "records" / f"{key}.json").write_text(text)
        manifest = {
            **MANIFEST,
            "keys": keys,
            "suite": dict.fromkeys(("name", "title", "description"), title),
            "datasets": {dataset: {"title": title, "steps": names, "warning": other}},
            "imputers": {imputer: {"citation": other, "summary": title, "version": metric}},
            "protocols": {protocol: dict.fromkeys(("summary", "reference", "purpose"), title)},
        }
        (run / "manifest.json").write_text(as_json(manifest))
        seen.append(outcome(lambda: report(run), run))

    check()
    assert len(seen) >= EXAMPLES["reports"]
    assert all(isinstance(item, Path) for item in seen)


def test_pictures_of_strangers(run: Path) -> None:
    seen = []
    path = run / "pictures" / f"{RECORD.key}.npz"
    arrays = st.sampled_from(
        [
            np.zeros((3, 2)),
            np.full((3, 2), np.nan),
            np.full((3, 4), 1e308),
            np.zeros(0),
            np.zeros((2, 2, 2)),
            np.array(NASTY),
            np.array([object()], dtype=object),
            np.zeros(3, "V8"),
            np.array(["a", "b"]),
            np.array(5),
        ]
    )
    names = st.sampled_from(["map", "labels", "gene_names", "observed", "imputed", "truth", "../a"])

    @fuzz("pictures")
    @given(st.dictionaries(names, arrays, max_size=6), st.none() | st.integers(0, 600))
    def check(parts: dict[str, Any], length: int | None) -> None:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **parts)
        path.write_bytes(buffer.getvalue()[:length])
        seen.append(outcome(lambda: (Store(run).picture(RECORD.key),), run))

    check()
    assert len(seen) >= EXAMPLES["pictures"]
    shutil.rmtree(run)
