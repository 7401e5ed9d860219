"""Print the measured columns of docs/field.md.

    impbench env test --all --out field.csv
    impbench run --suite field --jobs 1 --threads 1 --out field
    python benchmarks/field_table.py field field.csv

Two Markdown tables: what each environment is and what its method does to values; CPU seconds,
memory and error beside the controls.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path

from impbench.results.record import Record
from impbench.results.store import Store

SIZES = (
    "sim_rare[n_cells=200,n_genes=300]",
    "sim_rare[n_genes=1000]",
)
SPLITS = ("mse", "dropout-mse", "biozero-mse")


def main(folder: Path, trials: Path) -> None:
    """Print both tables."""
    print("| imputer | environment | built in | observed | zeros filled | below zero | seed |")
    print("|---|---|---:|---|---:|---:|---|")
    with trials.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            print(environment_row(row))
    print("\n| imputer | 200 × 300 | 1 000 × 1 000 | MSE, dropouts, biological zeros |")
    print("|---|---:|---:|---:|")
    records: dict[str, dict[str, Record]] = defaultdict(dict)
    for record in Store.open(folder).read().records:
        if record.job.protocol == "simulated-truth":
            records[record.job.imputer][record.job.dataset] = record
    for imputer, found in sorted(records.items()):
        print(f"| `{imputer}` | {' | '.join(cost(found.get(size)) for size in SIZES)} "
              f"| {splits(found.get(SIZES[0]))} |")  # fmt: skip


def environment_row(row: dict[str, str]) -> str:
    """Say what one row of `impbench env test --out` has."""
    name = f"| `{row['imputer']}` "
    if row["status"] in ("unavailable", "failed"):
        return f"{name}| {row['status']}: {row['reason']} | | | | | |"
    python = row["interpreter"].removeprefix("CPython ")
    built = f"{float(row['build_seconds']):.0f} s, {float(row['megabytes']):.0f} MiB"
    place = f"{name}| Python {python}; {row['versions']} | {built} "
    if row["status"] == "refused":
        return f"{place}| {row['reason']} | | | |"
    if not row["zeros_filled"]:
        return f"{place}| no expression | | | {row['seeds']} |"
    kept = "kept" if row["keeps_observed"] == "True" else "changed"
    filled = f"{float(row['zeros_filled']):.0%}".replace("%", " %")
    return f"{place}| {kept} | {filled} | {row['negatives']} | {row['seeds']} |"


def cost(record: Record | None) -> str:
    """CPU seconds and peak memory, or how it ended."""
    if record is None:
        return ""
    if record.status != "ok":
        return f"{record.status}: {record.reason}"
    used = record.cost
    if used is None:  # a control that sees the truth
        return ""
    return f"{used.cpu_seconds:.2g} s, {used.peak_memory / 2**20:.0f} MiB"


def splits(record: Record | None) -> str:
    """Errors overall, of dropouts and of biological zeros, on log2(1 + counts / size factor)."""
    if record is None or record.scores is None:
        return ""
    return ", ".join(f"{record.scores[name]:.2f}" for name in SPLITS if name in record.scores)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("trials", type=Path)
    arguments = parser.parse_args()
    main(arguments.folder, arguments.trials)
