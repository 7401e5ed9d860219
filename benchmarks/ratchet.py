"""Check that small versions of our promises take no more time and memory than ratchet.json says.

Run ``python benchmarks/ratchet.py [ROW ...] [--update]`` on Linux. Each row runs in a process of
its own, on one thread: the least of up to three times in CPU seconds, divided by a calibration in
the same process, and the peak memory of the largest process. Status 1 if a row exceeds what is kept
by more than half, three times in a row; --update keeps what was measured. What is kept is of a
fresh installation, as CI has it: a process that still compiles takes more memory. Times have a
quarter added by hand. Each kind of processor has costs of its own, since none does the
calibration's parts at the pace of another: on one that CI met, every row was about twice the
multiple that it was on the one before. A kind that is not known yet is held against the largest
costs of those that are.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

KEPT = Path(__file__).with_suffix(".json")
MOST = 1.5
"""Times what is kept; less is noise on a shared machine."""
TRIES = 3
LONG = 2.0
"""Seconds of CPU; work that takes longer is timed once."""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Cost:
    """CPU seconds as a multiple of the calibration's, and the peak in MiB."""

    time: float
    memory: float

    def beyond(self, kept: Cost) -> float:
        """Return the worse of the two, as a multiple of what is kept."""
        return max(self.time / kept.time, self.memory / kept.memory)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", help="all if none is named")
    parser.add_argument("--update", action="store_true", help="keep what is measured")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        print(json.dumps(asdict(measure(options.one))))
        return 0
    from ratchet_rows import ROWS

    kept: dict[str, dict[str, dict[str, float]]] = json.loads(KEPT.read_text())
    failed, here = [], processor()
    print(f"processor: {here}")
    print(f"{'row':24}{'time':>8}{'kept':>8}{'ratio':>7}{'MiB':>9}{'kept':>7}{'ratio':>7}")
    for name in options.rows or ROWS:
        costs = kept.setdefault(name, {})
        old = None if options.update else bound(costs, here)
        cost = in_a_process(name, old)
        if options.update:
            costs[here] = asdict(cost)
        elif old is None or cost.beyond(old) > MOST:
            failed.append(name)
        print(row(name, cost, old or cost), flush=True)
    if options.update:
        content = {name: kept[name] for name in ROWS if name in kept}
        KEPT.write_text(json.dumps(content, indent=1) + "\n")
    if failed:
        print(f"beyond {MOST} × what {KEPT.name} keeps, or not kept: {', '.join(failed)}")
    return bool(failed)


def processor() -> str:
    """Name this machine's kind of processor, such as "GenuineIntel 6 167" (Linux)."""
    said: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        said.setdefault(name.strip(), value.strip())
    known = [said[name] for name in ("vendor_id", "cpu family", "model") if name in said]
    return " ".join(known) or platform.machine()


def bound(costs: Mapping[str, Mapping[str, float]], here: str) -> Cost | None:
    """Return what is kept for this kind of processor, or else the largest costs of any kind."""
    kept = [Cost(**costs[here])] if here in costs else [Cost(**cost) for cost in costs.values()]
    if not kept:
        return None
    return Cost(max(cost.time for cost in kept), max(cost.memory for cost in kept))


def in_a_process(name: str, kept: Cost | None) -> Cost:
    """Measure a row; again where it seems too much, since a busy machine makes it seem so."""
    command = [sys.executable, __file__, "--one", name]
    for _ in range(TRIES):
        answer = subprocess.check_output(command, text=True, env={**os.environ, **ONE_THREAD})
        cost = Cost(**json.loads(answer.splitlines()[-1]))
        if kept is None or cost.beyond(kept) <= MOST:
            break
    return cost


def row(name: str, cost: Cost, kept: Cost) -> str:
    """Write one line of the table."""
    times = f"{cost.time:8.2f}{kept.time:8.2f}{cost.time / kept.time:7.2f}"
    return f"{name:24}{times}{cost.memory:9.0f}{kept.memory:7.0f}{cost.memory / kept.memory:7.2f}"


def measure(name: str) -> Cost:
    """Time a row after a first time to warm up, and the calibration before and after."""
    from ratchet_rows import ROWS

    work = ROWS[name]()
    units = [timed(calibration)]
    work()
    seconds = timed(work)
    if seconds < LONG:
        seconds = min(seconds, timed(work), timed(work))
    units.append(timed(calibration))
    return Cost(round(seconds / min(units), 3), round(peak(), 1))


def calibration() -> None:
    """Do a bit of each: products, a pass over memory, sorting, and plain Python."""
    import numpy as np

    rng = np.random.default_rng(0)
    a = rng.random((700, 700), dtype=np.float32)
    for _ in range(10):
        a @ a
    values = rng.random(2_000_000)
    np.sort(values)
    np.log1p(values).sum()
    sum(k * k for k in range(500_000))


def timed(work: Callable[[], object]) -> float:
    """Return CPU seconds, those of child processes included."""
    begun = used()
    work()
    return used() - begun


def used() -> float:
    """Return the CPU seconds of this process and of those that it has waited for."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def peak() -> float:
    """Return the peak of this process or of its largest child, in MiB (Linux)."""
    status = Path("/proc/self/status").read_text().splitlines()
    own = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024


if __name__ == "__main__":
    sys.exit(main())
