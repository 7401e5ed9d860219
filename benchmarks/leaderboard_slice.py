"""Run a minute's worth of the leaderboard again, and hold it against the published scores.

    python benchmarks/leaderboard_slice.py reports/leaderboard/leaderboard

Fails where a score differs from the published one by more than `CLOSE`, relative to the published
score, or where an imputation fails that did not. Other processors round otherwise, and clusterings
jump where they do: only errors and correlations of simulated cells are asked, of one seed, of
methods that draw few random numbers or none.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import impbench
from impbench.results.record import Record
from impbench.results.store import Store
from impbench.runner.settings import Settings
from impbench.scoring.score import COST_METRICS

DATASETS = ["sim_equal[n_cells=300]", "sim_rare[n_cells=300]"]
PROTOCOLS = ["simulated-truth", "true-correlation"]
IMPUTERS = ["alra", "baynorm", "knn-smoothing", "magic", "maskclass-best", "scimpute"]
CLOSE = 1e-3


def main(published: Path) -> int:
    """Print one line per score that differs; return the status to exit with."""
    before = {identity(record): record for record in Store.open(published).read().records}
    with tempfile.TemporaryDirectory() as folder:
        done = impbench.run(
            "leaderboard",
            folder,
            datasets=DATASETS,
            protocols=PROTOCOLS,
            imputers=IMPUTERS,
            seeds=1,
            settings=Settings(threads=1),
            report=False,
        )
        records = done.stored.records
    n_scores = n_known = 0
    wrong = []
    for record in records:
        known = before.get(identity(record))
        if known is None:
            continue
        n_known += 1
        if record.status != known.status:
            wrong.append(f"{named(record)}: {record.status}, published {known.status}")
        for metric in sorted({*record.scores} & {*known.scores} - {*COST_METRICS}):
            n_scores += 1
            now, then = record.scores[metric], known.scores[metric]
            if now != then and not abs(now - then) <= CLOSE * abs(then):
                wrong.append(f"{named(record)}: {metric} {now:.6g}, published {then:.6g}")
    print(*wrong, sep="\n")
    print(f"{n_known} of {len(records)} imputations are published; {len(wrong)} of {n_scores} "
          "scores differ")  # fmt: skip
    return 1 if wrong or not n_known else 0


def identity(record: Record) -> tuple[str, str, str, int]:
    """Return what the record answers."""
    job = record.job
    return job.dataset, job.protocol, job.imputer, job.seed


def named(record: Record) -> str:
    """Return the job's name for people."""
    job = record.job
    return f"{job.imputer} on {job.dataset}, {job.protocol}, seed {job.seed}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("published", type=Path)
    sys.exit(main(parser.parse_args().published))
