"""Every pair of protocols side by side in one run: each job is ok, and scores as if it ran alone.

    python benchmarks/protocol_pairs.py --times 20 --jobs 4

Each protocol is first asked alone. Then every pair is asked in one run, with several jobs at once,
`--times` times, and every score is held against the lone run's, digit by digit; cost metrics are
left out, because they are measurements. Ends with status 1 where anything differs.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pandas as pd

import impbench
from impbench.errors import ImpbenchError
from impbench.plan.suite import Question, Suite
from impbench.runner.settings import Settings
from impbench.scoring.score import COST_METRICS

DATASET = "sim_rare[n_cells=150,n_genes=150]"
PROTOCOLS = (
    "calibration",
    "calibration[truth=simulated,library=own]",
    "clustering[library=own]",
    "differential-expression[n_reference=20,n_found=40,library=own]",
    "distribution[library=own]",
    "false-signal",
    "masking",
    "rare-types[n_markers=20,library=own]",
    "simulated-truth[library=own]",
    "stability",
    "thinning",
    "true-correlation[library=own]",
)
"""With each matrix divided by its own library sizes, most show the imputer the same."""

ENTRY = ["dataset", "protocol", "imputer", "seed", "metric"]


def ask(out: Path, protocols: tuple[str, ...], imputers: list[str], jobs: int) -> pd.DataFrame:
    """Run one question for each protocol, afresh; return the tidy table without costs."""
    suite = Suite(
        name="pairs",
        title="pairs",
        description="",
        questions=(Question((DATASET,), protocols),),
        imputers=tuple(imputers),
        seeds=1,
        controls=False,
    )
    settings = Settings(jobs=jobs, threads=1, timeout=600.0, fresh=True)
    table = impbench.run(suite, out, settings=settings, report=False).scores
    return table[~table["metric"].isin(COST_METRICS)]


def difference(found: pd.DataFrame, alone: pd.DataFrame) -> str:
    """Say how scores differ from those of the lone runs; empty where they do not."""
    failed = found[found["status"] != "ok"]
    if len(failed):
        row = failed.iloc[0]
        return f"{row.imputer}, {row.protocol}: {row.status}: {row.reason}"
    both = found.merge(alone, on=ENTRY, how="outer", suffixes=("", "_alone"), indicator=True)
    lost = both[both["_merge"] != "both"]
    if len(lost):
        row = lost.iloc[0]
        return f"{row.imputer}, {row.protocol}, {row.metric}: in one of the two runs alone"
    differs = both[(both["value"] != both["value_alone"]) & both["value"].notna()]
    if len(differs):
        row = differs.iloc[0]
        return f"{row.imputer}, {row.protocol}, {row.metric}: {row.value} ≠ {row.value_alone}"
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=20, help="runs of each pair")
    parser.add_argument("--jobs", type=int, default=4, help="jobs at once")
    parser.add_argument("--imputers", nargs="+", default=["gene-mean", "permuted"])
    parser.add_argument("--protocols", nargs="+", default=list(PROTOCOLS))
    parser.add_argument("--skip", type=int, default=0, help="leave out so many pairs, done before")
    given = parser.parse_args()
    faults: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="impbench-pairs-") as name:
        folder = Path(name)
        alone = {p: ask(folder / "alone", (p,), given.imputers, 1) for p in given.protocols}
        lone = {p: difference(table, table) for p, table in alone.items()}
        for protocol, fault in lone.items():
            print(f"{protocol} alone: {fault or f'{len(alone[protocol])} scores'}", flush=True)
        pairs = list(itertools.combinations(given.protocols, 2))[given.skip :]
        for pair in pairs:
            expected = pd.concat([alone[protocol] for protocol in pair])
            wrong: Counter[str] = Counter()
            for _ in range(given.times):
                try:
                    found = ask(folder / "pair", pair, given.imputers, given.jobs)
                    fault = difference(found, expected)
                except ImpbenchError as error:
                    fault = f"the run ended: {error}"
                if fault:
                    wrong[fault] += 1
            faults.update(wrong)
            print(
                f"{' + '.join(pair)}: {given.times - wrong.total()} of {given.times} alike",
                flush=True,
            )
            for fault, count in wrong.most_common():
                print(f"  {count} times {fault}", flush=True)
    print(f"{len(pairs)} pairs, {given.times} times each: {faults.total()} runs differ or fail")
    return 1 if faults or any(lone.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
