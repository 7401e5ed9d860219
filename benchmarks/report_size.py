"""How long a report takes over many records, and how large it gets.

Run ``python benchmarks/report_size.py [--records 10000]``. A real run of the suite
everything-small is taken, or the finished one that ``--run`` names, and each of its records is
repeated under further seeds with slightly different scores until there are so many. Then
`impbench report` draws it, on one core and, to compare, on all.

With ``--before PATH``, the `impbench` command of another build draws it in turns with ours
(``--rounds``). CPU seconds are what to compare on a machine that others use too.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from impbench.results.record import Record
from impbench.results.store import Store

IMPBENCH = str(Path(sys.executable).with_name("impbench"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--run", type=Path, help="folder of a finished run")
    parser.add_argument("--before", help="the impbench command of another build")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        if options.run:
            shutil.copytree(options.run, out)
        else:
            command = [IMPBENCH, "run", "--suite", "everything-small", "--out", str(out)]
            subprocess.run([*command, "--no-report", "--quiet"], check=True)
        n_real = len(Store.open(out).read().records)
        n_records = multiply(out, options.records)
        print(f"{n_records} records ({n_real} real ones, repeated)")
        builds = {"before": options.before} if options.before else {}
        spent: dict[str, list[float]] = {}
        for _ in range(options.rounds):
            for name, command in {**builds, "now": IMPBENCH}.items():
                wall, cpu = draw(command, out, {min(os.sched_getaffinity(0))})
                spent.setdefault(name, []).append(cpu)
                size = (out / "report.html").stat().st_size / 2**20
                print(f"{name}, one core: {wall:.1f} s, {cpu:.1f} s of CPU, {size:.1f} MiB")
        wall, cpu = draw(IMPBENCH, out, os.sched_getaffinity(0))
        print(f"now, {len(os.sched_getaffinity(0))} cores: {wall:.1f} s, {cpu:.1f} s of CPU")
        if builds:
            before, now = (min(spent[name]) for name in ("before", "now"))
            print(
                f"least CPU: {before:.1f} before, {now:.1f} now: {before / now:.2f} times as fast"
            )


def draw(command: str, out: Path, cores: set[int]) -> tuple[float, float]:
    """Draw the report on these cores; return wall-clock and CPU seconds of the whole command."""
    allowed = os.sched_getaffinity(0)
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    os.sched_setaffinity(0, cores)
    try:
        subprocess.run([command, "report", str(out)], check=True, stdout=subprocess.DEVNULL)
    finally:
        os.sched_setaffinity(0, allowed)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return time.perf_counter() - start, cpu


def multiply(out: Path, wanted: int) -> int:
    """Repeat the records of a run under further seeds; return how many there are then."""
    store, draw = Store.open(out), random.Random(1)
    real = store.read().records
    seeds = {record.job.seed for record in real}
    added: list[Record] = []
    for round_ in range(1, math.ceil(wanted / len(real))):
        for record in real:
            seed = record.job.seed + round_ * max(seeds)
            key = hashlib.sha256(f"{record.key} {seed}".encode()).hexdigest()[:20]
            scores = {name: value * draw.gauss(1, 0.01) for name, value in record.scores.items()}
            job = replace(record.job, seed=seed)
            added.append(replace(record, key=key, job=job, scores=scores))
    for record in added:
        store.write_record(record)
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    manifest["keys"] += [record.key for record in added]
    manifest["seeds"] = sorted({record.job.seed for record in [*real, *added]})
    (out / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return len(real) + len(added)


if __name__ == "__main__":
    main()
