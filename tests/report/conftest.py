"""Run folders with real records and plausible numbers, made without running any imputer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from impbench.report import write_report
from impbench.results.record import Cost, Job, Record
from impbench.results.store import Store
from impbench.scoring.picture import write_picture

HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)> it's & $x^{2}$",
    "two\nlines \x1b[31mred\x1b[0m \u202egnp",
    "</svg></style>" + "N" * 200,
    '{{ 7 * 7 }} {% raw %} url(#x) id="y"',
]

CONTROLS = ["no-imputation", "gene-mean", "nonzero-mean", "permuted", "maskclass-prior"]
METHODS = ["maskclass-best", "maskclass-balanced", "magic"]
ERROR = ["mse", "biozero-mse", "dropout-mse", "nonzero-mse", "pearson-gene", "pearson-cell"]
CLUSTERING = ["ari", "nmi", "purity", "entropy", "asw", "celltype-asw"]
COST = ["wall-seconds", "cpu-seconds", "peak-memory"]

# How good each control is, 0 like no imputation, 1 like the truth; the shares only need to be
# plausible and in a known order.
QUALITY = {
    "no-imputation": 0.0,
    "gene-mean": 0.25,
    "nonzero-mean": 0.45,
    "permuted": -0.2,
    "maskclass-prior": 0.72,
    "attainable": 0.75,
    "oracle": 1.0,
}


def score(metric: str, quality: float, noise: float) -> float:
    """A value of `metric` for an imputer of this quality."""
    q = quality + noise
    if metric == "biozero-mse":
        return 0.0 if quality in (0.0, 1.0) else max(0.0, 0.4 - 0.3 * q)
    if metric.endswith("mse"):
        return max(0.0, 1.4 * (1 - q))
    if metric == "entropy":
        return float(np.clip(0.9 - 0.8 * q, 0, 1))
    return float(np.clip(0.35 + 0.6 * q, -1, 1))


def picture(
    rng: np.random.Generator, quality: float, truth: bool, labels: list[str]
) -> dict[str, np.ndarray]:
    """A picture in the shape that the runner stores."""
    n = 400
    data = np.random.default_rng(3)
    group = data.integers(len(labels), size=n)
    centres = np.random.default_rng(1).normal(size=(len(labels), 2)) * 4
    true = data.gamma(2.0, 1.0, size=(n, 4)) * (data.random((n, 4)) > 0.2)
    observed = true * (data.random((n, 4)) > 0.35)
    guess = quality * true + (1 - quality) * rng.gamma(1.0, 0.5, size=(n, 4))
    arrays = {
        "map": (centres[group] * (0.3 + quality) + rng.normal(size=(n, 2))).astype(np.float32),
        "labels": np.asarray(labels)[group],
        "gene_names": np.asarray(["Actb", "Gapdh", "Cd3e", "Malat1"]),
        "observed": observed.astype(np.float32),
        "imputed": np.where(observed > 0, observed, guess).astype(np.float32),
    }
    if truth:
        arrays["truth"] = true.astype(np.float32)
    return arrays


def build_run(
    folder: Path,
    *,
    methods: list[str] | None = None,
    controls: list[str] | None = None,
    simulated: list[str] | None = None,
    real: list[str] | None = None,
    seeds: int = 2,
    labels: list[str] | None = None,
    failing: dict[tuple[str, str, int], tuple[str, str, str]] | None = None,
    pictures: bool = True,
    all_fail: bool = False,
) -> Store:
    """Write a run's folder and return its store.

    `failing` maps (dataset, imputer, seed) to status, reason and log.
    """
    methods = METHODS if methods is None else methods
    controls = CONTROLS if controls is None else controls
    simulated = (
        ["sim_equal[n_cells=500]", "sim_rare[n_cells=500]"] if simulated is None else simulated
    )
    real = ["pbmc68k-reduced"] if real is None else real
    labels = labels or ["CD4+ T", "CD8+ T", "B", "NK", "Monocyte", "Dendritic"]
    failing = failing or {}
    store = Store.create(folder)
    rng = np.random.default_rng(7)
    quality = dict(QUALITY)
    for i, name in enumerate(methods):
        quality.setdefault(name, 0.78 - 0.9 * i / max(3, len(methods)))
    keys: list[str] = []
    problems: list[dict[str, Any]] = []
    for dataset in [*simulated, *real]:
        truth = dataset in simulated
        asked = [("simulated-truth", ERROR)] * truth + [("clustering", CLUSTERING)]
        shift = rng.normal(scale=0.05)
        for protocol, metrics in asked:
            problems.append(
                {
                    "dataset": dataset,
                    "protocol": protocol,
                    "metrics": metrics,
                    "conventions": [
                        "observed and true counts are both divided by the true library sizes"
                        if truth
                        else "counts are divided by each cell's library size over the median"
                    ],
                    "has_truth": truth,
                }
            )
            for imputer in [*controls, *methods, *(["oracle"] if truth and controls else [])]:
                for seed in range(1, seeds + 1):
                    key = f"{len(keys):016x}"
                    keys.append(key)
                    job = Job(dataset, protocol, imputer, {}, seed)
                    failure = failing.get((dataset, imputer, seed))
                    if all_fail:
                        failure = ("failed", "ValueError: nothing works", "Traceback ...")
                    all_metrics = (*metrics, *COST)
                    if failure:
                        status, reason, log = failure
                        store.write_record(
                            Record(key, job, status, reason, log, all_metrics)  # type: ignore[arg-type]
                        )
                        continue
                    q = quality[imputer]
                    noise = 0.0 if imputer in QUALITY else float(rng.normal(scale=0.01))
                    seconds = 0.01 if imputer in controls else 0.6 + 11 * rng.random() * (1 - q)
                    scores = {
                        name: score(name, q + (shift if 0 < q < 1 else 0), noise)
                        for name in metrics
                    }
                    scores |= {
                        "wall-seconds": seconds,
                        "cpu-seconds": seconds * 1.4,
                        "peak-memory": 310 + 400 * rng.random(),
                    }
                    store.write_record(
                        Record(
                            key,
                            job,
                            "ok",
                            metrics=all_metrics,
                            scores=scores,
                            cost=Cost(seconds, seconds * 1.4, 325_000_000),
                            versions={"impbench": "0.1.0"},
                            started="2026-01-01T10:00:00+00:00",
                        )
                    )
                    if seed == 1 and pictures:
                        write_picture(
                            store.folder / "pictures" / f"{key}.npz",
                            picture(rng, max(0.0, q), truth, labels),
                        )
    names = [*controls, *methods, *(["oracle"] if simulated and controls else [])]
    store.write_manifest(_manifest(keys, seeds, simulated, real, problems, names, labels))
    return store


def _manifest(
    keys: list[str],
    seeds: int,
    simulated: list[str],
    real: list[str],
    problems: list[dict[str, Any]],
    names: list[str],
    labels: list[str],
) -> dict[str, Any]:
    return {
        "suite": {
            "name": "default",
            "title": "Default suite",
            "description": "Two simulations and one real dataset, small enough for a laptop.",
        },
        "command": "impbench run default --seeds 2",
        "started": "2026-01-01T10:00:00+00:00",
        "finished": "2026-01-01T10:01:40+00:00",
        "interrupted": False,
        "keys": keys,
        "seeds": list(range(1, seeds + 1)),
        "datasets": {
            name: {
                "title": name,
                "n_cells": 500,
                "n_genes": 1000,
                "n_groups": len(labels),
                "zero_fraction": 0.71,
                "simulated": name in simulated,
                "steps": ["genes in at least 3 cells kept", "1000 most variable genes kept"],
                "facts": {"citation": "Zappia, Phipson and Oshlack (2017), Genome Biology 18, 174"},
                "fingerprint": "0123456789abcdef",
            }
            for name in [*simulated, *real]
        },
        "protocols": {
            "simulated-truth": {
                "summary": "Distance to the true expression of simulated cells",
                "reference": "MaskClass, section 2.8 (i)",
            },
            "clustering": {
                "summary": "Agreement of clusters found in the imputation with the cell types",
                "reference": "MaskClass, section 2.8 (iii)",
            },
        },
        "problems": problems,
        "imputers": {
            name: {
                "name": name.partition("[")[0],
                "summary": f"What {name} does, in one line",
                "citation": "" if name in QUALITY else "van Dijk et al. (2018), Cell 174, 716-729",
                "version": "1",
                "is_control": name in QUALITY,
                "needs_truth": name in ("oracle", "attainable"),
                "stochastic": name not in QUALITY,
                "input_scale": "lognorm",
                "devices": ["cpu"],
                "keeps_observed": False,
                "params": {"t": 3, "knn": 5} if name not in QUALITY else {},
            }
            for name in names
        },
        "skipped": [],
        "broken_plugins": [],
        "environment": {
            "impbench": "0.1.0",
            "python": "3.11.2",
            "platform": "Linux-6.1-x86_64",
            "cpu": "A processor",
            "cores": 2,
            "memory_bytes": 8 * 2**30,
            "versions": {"numpy": "2.4.6", "torch": "2.13.0"},
            "threads_per_job": 1,
            "jobs": 2,
            "timeout": 600,
            "memory_limit": None,
        },
    }


@pytest.fixture(scope="session")
def default_run(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A run like the default suite's, with failures, and its report."""
    store = build_run(
        tmp_path_factory.mktemp("default"),
        failing={
            ("pbmc68k-reduced", "magic", 1): ("timeout", "stopped after 600 s", "epoch 1\nepoch 2"),
            ("sim_rare[n_cells=500]", "magic", 1): ("memory", "4.1 GiB of 4 GiB", ""),
            ("sim_rare[n_cells=500]", "magic", 2): ("memory", "4.1 GiB of 4 GiB", ""),
        },
    )
    write_report(store.read())
    return store


@pytest.fixture(scope="session")
def hostile_run(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A run whose every name and log would like to be something else, and its report."""
    store = build_run(
        tmp_path_factory.mktemp("hostile"),
        methods=HOSTILE,
        real=[HOSTILE[0]],
        simulated=[HOSTILE[1]],
        labels=HOSTILE,
        seeds=1,
        failing={(HOSTILE[0], HOSTILE[1], 1): ("failed", HOSTILE[0], HOSTILE[0] + "\x1b[2J")},
    )
    manifest = json.loads((store.folder / "manifest.json").read_text())
    manifest["suite"] |= {"title": HOSTILE[0], "description": HOSTILE[1]}
    manifest["command"] = HOSTILE[3]
    manifest["broken_plugins"] = [{"name": HOSTILE[0], "reason": HOSTILE[1]}]
    manifest["skipped"] = [{"dataset": HOSTILE[0], "protocol": "p", "reason": HOSTILE[3]}]
    store.write_manifest(manifest)
    write_report(store.read())
    return store


@pytest.fixture
def make_store(tmp_path: Path) -> Callable[..., Store]:
    """Build a run folder in the test's own folder; see `build_run`."""

    def make(**options: Any) -> Store:
        return build_run(tmp_path / "run", **options)

    return make


FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Chromium without a window; its console and what it asks of the network are logged."""
    from selenium import webdriver

    program = shutil.which("chromium") or shutil.which("chromium-browser")
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("Chromium and chromedriver are not on PATH")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in [*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield chrome
    chrome.quit()
