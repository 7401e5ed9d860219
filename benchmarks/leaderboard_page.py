"""How large the page of a leaderboard is, how long it takes to write, and to open in Chromium.

Run ``python benchmarks/leaderboard_page.py [--methods 35] [--seeds 3] [--out FOLDER]``. Nothing is
imputed: a folder is filled with records of invented scores (seeded, so the same every time) under
the names of our imputers, protocols, metrics and cards: 4 simulated and 16 real data sets, 12
protocols. Then `impbench report` draws it on one core, and Chromium opens it, if it is here.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from report_size import IMPBENCH, draw

from impbench.data.catalogue import cards
from impbench.registry import registry
from impbench.results.record import Cost, Job, Record
from impbench.results.store import Store
from impbench.runner.problems import _shown
from impbench.scoring.picture import write_picture
from impbench.truth_control import TRUTH_CONTROLS

SIMULATED = [f"sim_{kind}[n_cells=2000]" for kind in ("equal", "unequal", "rare", "batch")]
REAL = [
    "blakeley_hvg1000",
    "darmanis_hvg1000",
    "deng_hvg1000",
    "goolam",
    "grun_mesc",
    "kolodziejczyk_subset",
    "mixology_cellmix",
    "mixology_rnamix_sortseq",
    "mixology_sc_celseq2",
    "mixology_sc_celseq2_5cl_p2",
    "mouse_bladder",
    "paul15",
    "pollen_hvg1000",
    "soumillon_d3",
    "usoskin_hvg1000",
    "zheng_facs500",
]
BOTH = {
    "clustering": "ari nmi purity entropy asw celltype-asw",
    "clustering[source=either]": "ari nmi purity entropy asw celltype-asw",
    "masking": "masked-rmse masked-mae masked-nmse masked-pearson",
    "thinning": "thinned-poisson thinned-mse openproblems-poisson",
    "differential-expression": "de-auc lfc-pearson lfc-mse lfc-ned",
    "distribution": "gini-mse gini-pearson zeros-rmsd",
    "rare-types": "rare-f1 rare-recall rare-markers markers-clusters",
    "false-signal": "false-correlation false-pairs false-clusters false-silhouette false-de",
    "calibration": "coverage-90 coverage-50 coverage-95 undercoverage interval-width",
    "stability": "half-correlations half-pearson half-rmsd seed-rmsd seed-pearson",
}
TRUE = {
    "simulated-truth": "mse biozero-mse dropout-mse nonzero-mse pearson-gene pearson-cell",
    "true-correlation": "correlation-pearson correlation-spearman correlation-rmsd",
}
COSTS = ("wall-seconds", "cpu-seconds", "peak-memory")
CONTROLS = ("no-imputation", "gene-mean", "nonzero-mean", "permuted", "maskclass-prior")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", type=int, default=35)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="keep the run here; one that is here is drawn")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = options.out or Path(folder) / "out"
        if not (out / "manifest.json").exists():
            n_records = fill(out, options.methods, options.seeds)
            print(f"{n_records} records")
        wall, cpu = draw(IMPBENCH, out, {0})
        page = out / "report.html"
        print(f"written: {page.stat().st_size / 1e6:.1f} MB, {wall:.1f} s, {cpu:.1f} s of CPU")
        for seconds, nodes in opened(page, rounds=3):
            print(f"opened: {seconds:.2f} s to the end of loading and a frame, {nodes} elements")


def fill(folder: Path, n_methods: int, n_seeds: int) -> int:
    """Write records and manifest of a run whose scores are invented; return how many records."""
    store, draw_, known = Store.create(folder), np.random.default_rng(1), registry()
    methods = [name for name in known.imputers if not known.imputers[name].is_control]
    methods = methods[:n_methods]
    names = [*CONTROLS, *methods]
    skill = dict(zip(names, draw_.normal(0.3, 0.3, len(names)), strict=True))
    skill |= {"no-imputation": 0.0, "permuted": -0.3, "attainable": 0.9, "oracle": 1.0}
    problems, keys = [], []
    for dataset in [*SIMULATED, *REAL]:
        simulated = dataset in SIMULATED
        for protocol, listed in ({**TRUE, **BOTH} if simulated else BOTH).items():
            metrics = listed.split()
            problems.append({"dataset": dataset, "protocol": protocol, "metrics": metrics})
            hard = dict(zip(metrics, draw_.uniform(0.5, 1.5, len(metrics)), strict=True))
            taste = {name: skill.get(name, 0) + draw_.normal(0, 0.2) for name in names}
            taste |= {name: skill[name] for name in TRUTH_CONTROLS if protocol in TRUE}
            for name, quality in taste.items():
                fails = draw_.random() < 0.01
                for seed in range(1, n_seeds + 1):
                    key = hashlib.sha256(f"{dataset} {protocol} {name} {seed}".encode()).hexdigest()
                    keys.append(key[:20])
                    job = Job(dataset, protocol, name, {}, seed)
                    if fails:
                        reason = "stopped after 600 s"
                        record = Record(keys[-1], job, "timeout", reason, "", (*metrics, *COSTS))
                        store.write_record(record)
                        continue
                    seconds = float(np.exp(draw_.normal(3 * skill[name], 0.5)))
                    scores = {
                        metric: _score(metric, quality + draw_.normal(0, 0.03), hard[metric])
                        for metric in metrics
                    }
                    scores |= dict(zip(COSTS, (seconds, 1.2 * seconds, 300 + seconds), strict=True))
                    cost = Cost(seconds, seconds, 300_000_000)
                    store.write_record(
                        Record(keys[-1], job, "ok", "", "", tuple(scores), scores, cost)
                    )
                    if seed == 1 and protocol in ("clustering", "simulated-truth"):
                        path = folder / "pictures" / f"{keys[-1]}.npz"
                        write_picture(path, _picture(draw_, simulated))
    seeing = list(TRUTH_CONTROLS)
    store.write_manifest(_manifest(keys, n_seeds, problems, [*names, *seeing]))
    return len(keys)


def _score(metric: str, quality: float, hard: float) -> float:
    fact = registry().metric(metric)
    low, high = fact.range or (0.0, np.inf)
    value = hard * (1 - quality) if fact.direction == "min" else 0.3 + 0.6 * quality / hard
    return float(np.clip(value, max(low, -2.0), min(high, 10.0)))


def _picture(draw_: np.random.Generator, simulated: bool) -> dict[str, Any]:
    group = draw_.integers(6, size=500)
    observed = draw_.poisson(1.5, (500, 4)).astype(np.float32)
    arrays = {
        "map": (group[:, None] + draw_.normal(size=(500, 2))).astype(np.float32),
        "labels": np.array([f"type {i}" for i in group]),
        "gene_names": np.array(["Actb", "Gapdh", "Cd3e", "Malat1"]),
        "observed": observed,
        "imputed": observed + draw_.gamma(1, 0.5, (500, 4)).astype(np.float32),
    }
    return arrays | ({"truth": observed + 1} if simulated else {})


def _manifest(
    keys: list[str], n_seeds: int, problems: list[dict[str, Any]], names: list[str]
) -> dict[str, Any]:
    protocols = [*TRUE, *BOTH]
    return {
        "suite": {"name": "leaderboard", "title": "Leaderboard (invented scores)"},
        "command": "impbench run --suite leaderboard",
        "started": "2026-01-01T10:00:00+00:00",
        "finished": "2026-01-01T20:00:00+00:00",
        "keys": keys,
        "seeds": list(range(1, n_seeds + 1)),
        "datasets": {name: _dataset(name) for name in [*SIMULATED, *REAL]},
        "protocols": {spec: _protocol(spec) for spec in protocols},
        "problems": problems,
        "imputers": {name: dict(_imputer(name)) for name in names},
        "environment": {"impbench": "0.1.0", "cpu": "A processor", "cores": 2},
    }


def _dataset(name: str) -> dict[str, Any]:
    if name in SIMULATED:
        return {"title": name, "n_cells": 2000, "n_genes": 1000, "n_groups": 6, "simulated": True}
    card = cards()[name]
    return {
        "title": card.title,
        "n_cells": card.cells,
        "n_genes": 1000,
        "n_groups": card.groups,
        "zero_fraction": 0.6,
        "labels_confidence": card.labels_from,
        "warning": card.warning,
        "facts": _shown(asdict(card)),
    }


def _protocol(spec: str) -> dict[str, Any]:
    kind = registry().protocols[spec.partition("[")[0]]
    return {
        "name": kind.name,
        "summary": kind.summary,
        "meaning": kind.meaning,
        "purpose": kind.purpose,
    }


def _imputer(name: str) -> Iterator[tuple[str, Any]]:
    sees = name in TRUTH_CONTROLS
    yield from {"name": name, "needs_truth": sees, "is_control": sees or name in CONTROLS}.items()
    if not sees:
        kind = registry().imputers[name]
        yield from {"summary": kind.summary, "citation": kind.citation, "role": kind.role}.items()


def opened(page: Path, rounds: int) -> Iterator[tuple[float, int]]:
    """Yield seconds until Chromium has loaded the page and drawn a frame, and its elements."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        print("not opened: Chromium and chromedriver are not on PATH")
        return
    from selenium import webdriver

    for _ in range(rounds):
        options = webdriver.ChromeOptions()
        options.binary_location = program
        for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"):
            options.add_argument(flag)
        chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
        try:
            chrome.set_window_size(1400, 1000)
            start = time.perf_counter()
            chrome.get(page.absolute().as_uri())
            chrome.execute_async_script(
                "const done = arguments[0]; requestAnimationFrame(() => setTimeout(done, 0))"
            )
            seconds = time.perf_counter() - start
            count = chrome.execute_script("return document.querySelectorAll('*').length")
            yield seconds, count
        finally:
            chrome.quit()


if __name__ == "__main__":
    main()
