"""Run folders with real records, made without running an imputer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from impbench.results.record import SCORING, Cost, Job, Record
from impbench.results.store import Store

MakeRun = Callable[..., Path]
Scores = Mapping[tuple[str, str, str], Mapping[str, list[float]]]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Return a function that writes a run and returns its folder.

    ``scores[dataset, protocol, imputer][metric]`` lists one value per seed.
    """

    def make(
        name: str,
        scores: Scores,
        *,
        seeds: list[int] | None = None,
        failing: Mapping[tuple[str, int], str] | None = None,
        seconds: Mapping[str, list[float]] | None = None,
        manifest: Mapping[str, Any] | None = None,
        info: Mapping[str, dict[str, Any]] | None = None,
    ) -> Path:
        store = Store.create(tmp_path / name)
        keys = []
        for (dataset, protocol, imputer), metrics in scores.items():
            count = len(next(iter(metrics.values())))
            for i, seed in enumerate(seeds or range(1, count + 1)):
                key = f"{len(keys):016x}"
                keys.append(key)
                reason = (failing or {}).get((imputer, seed))
                wall = (seconds or {}).get(imputer, [1.0] * count)[i]
                good = {metric: values[i] for metric, values in metrics.items()}
                store.write_record(
                    Record(
                        key=key,
                        job=Job(dataset, protocol, imputer, {}, seed),
                        status="failed" if reason else "ok",
                        reason=reason or "",
                        metrics=(*metrics, "wall-seconds"),
                        scores={} if reason else {**good, "wall-seconds": wall},
                        cost=None if reason else Cost(wall, wall, 2**20),
                        info=(info or {}).get(imputer, {}),
                    )
                )
        content = {
            "suite": {"name": "tiny"},
            "command": "impbench run --suite tiny.toml",
            "scoring": SCORING,
            "finished": "2026-01-01T00:00:00+00:00",
            "keys": keys,
            "datasets": {dataset: {"fingerprint": "f00"} for dataset, _, _ in scores},
            "imputers": {
                imputer: {"version": "1", "is_control": imputer == "control"}
                for _, _, imputer in scores
            },
            "environment": {"impbench": "0.1.0"},
        }
        store.write_manifest({**content, **(manifest or {})})
        return store.folder

    return make
