"""What intervals over cells cost beside the four errors of simulated data that carry them.

Run ``python benchmarks/interval_cost.py [--cells 1000] [--genes 1000]``. Processor time on one
thread, best of thirty.
"plain" adds up over all entries of a block at once, as a score without an interval would.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import threadpoolctl

from impbench.metrics.blocks import cell_blocks
from impbench.metrics.cells import intervals
from impbench.metrics.error import biozero_mse, dropout_mse, mse, nonzero_mse

ERRORS = (mse, biozero_mse, dropout_mse, nonzero_mse)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=1000)
    parser.add_argument("--genes", type=int, default=1000)
    options = parser.parse_args()
    threadpoolctl.threadpool_limits(1)
    rng = np.random.default_rng(0)
    shape = (options.cells, options.genes)
    truth = rng.random(shape, dtype=np.float32) * (rng.random(shape) < 0.6)
    observed = truth * (rng.random(shape) < 0.6)
    offers = {"truth": truth, "observed": observed, "imputed": truth + np.float32(0.5)}
    first, _ = timed(lambda: bootstrap(sums(offers)), rounds=1)
    plainly, _ = timed(lambda: plain(**offers))
    adding, found = timed(lambda: sums(offers))
    drawing, _ = timed(lambda: bootstrap(found))
    print(f"{options.cells} cells × {options.genes} genes, {len(ERRORS)} errors")
    print(f"plain {1e3 * plainly:.1f} ms, per cell {1e3 * adding:.1f} ms")
    print(f"intervals {1e3 * drawing:.1f} ms, all of it the first time {1e3 * first:.1f} ms")


def sums(offers: dict[str, Any]) -> list[Any]:
    return [item.per_cell(**{need: offers[need] for need in item.cell_needs}) for item in ERRORS]


def bootstrap(found: list[Any]) -> list[Any]:
    return intervals(found, [item.root for item in ERRORS])


def plain(imputed: Any, truth: Any, observed: Any) -> list[float]:
    found = []
    kinds: list[Callable[..., Any] | None] = [
        None,
        lambda true: true == 0,
        lambda true, seen: (seen == 0) & (true > 0),
        lambda true, seen: seen > 0,
    ]
    for kind, item in zip(kinds, ERRORS, strict=True):
        total, entries = 0.0, 0
        asked = (imputed, truth, observed)[: len(item.needs)]
        for x, *others in cell_blocks(*asked):
            error = x - others[0]
            if kind is not None:
                counts = kind(*others)
                error *= counts
                entries += int(np.count_nonzero(counts))
            else:
                entries += error.size
            total += float(np.square(error, out=error).sum())
        found.append(total / entries)
    return found


def timed(call: Callable[[], Any], rounds: int = 30) -> tuple[float, Any]:
    best, answer = np.inf, None
    for _ in range(rounds):
        start = time.process_time()
        answer = call()
        best = min(best, time.process_time() - start)
    return float(best), answer


if __name__ == "__main__":
    main()
