"""How often `impbench check` cries wolf, and how often it sees a 5 % loss of MSE.

Run ``python benchmarks/regression_power.py`` for simulated builds: 200 scores each, all with the
same noise (standard deviation over seeds, as a share of the mean), and in the second half of the
builds one score whose mean is 5 % worse. MaskClass' MSE on 500 cells has noise of about 0.3 %
(best) and 1 to 4 % (balanced).

With ``--run FOLDER``, a run of many seeds takes the place of the simulation: baseline and new run
are drawn from its seeds, without overlap, and a loss multiplies one imputer's MSE by 1.05.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from impbench.regress.check import check
from impbench.regress.measured import Entry, Measured, MetricFacts, Sample, measure
from impbench.regress.rules import Floor, Rules

LOSS = 1.05
SCORES = 200
METRICS = ("mse", "dropout-mse", "biozero-mse", "nonzero-mse")
NO_FLOOR = Rules(floors=dict.fromkeys(METRICS, Floor(0.0, relative=True)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--builds", type=int, default=200)
    parser.add_argument("--run", type=Path, help="folder of a real run with 20 seeds or more")
    options = parser.parse_args()
    if options.run:
        redraw(measure(options.run), options.builds)
    else:
        simulate(options.builds)


def simulate(builds: int) -> None:
    print(f"{builds} unchanged and {builds} worse builds per line, {SCORES} scores each, alpha 1 %")
    print(
        f"{'noise':>6} {'seeds':>7} {'same seeds':>11} {'r':>5} {'false alarms':>13} "
        f"{'floor 0':>8} {'5 % loss seen':>14} {'seconds':>8}"
    )
    rng = np.random.default_rng(1)
    for noise in (0.003, 0.005, 0.0075, 0.01, 0.02):
        for n, k, same, r in (
            (5, 5, False, 0.0),
            (10, 5, False, 0.0),
            (5, 5, True, 0.0),
            (5, 5, True, 0.99),
        ):
            start = time.perf_counter()
            alarms = alarms_without_floor = seen = 0
            for _ in range(builds):
                base, new = draw(rng, noise, n, k, same, r)
                alarms += alarmed(base, new, Rules())
                alarms_without_floor += alarmed(base, new, NO_FLOOR)
                base, new = draw(rng, noise, n, k, same, r)
                seen += alarmed(base, worse(new, [next(iter(new.scores))]), Rules())
            print(
                f"{noise:6.2%} {n:>3}+{k:<3} {'yes' if same else 'no':>11} {r:5.2f} "
                f"{alarms / builds:13.1%} {alarms_without_floor / builds:8.1%} "
                f"{seen / builds:14.1%} {time.perf_counter() - start:8.1f}"
            )


def draw(
    rng: np.random.Generator, noise: float, n: int, k: int, same: bool, r: float
) -> tuple[Measured, Measured]:
    """Two unchanged runs; `r` correlates the scores of a seed that both have."""
    old = rng.normal(size=(SCORES, n))
    new = rng.normal(size=(SCORES, k))
    m = min(n, k)
    new[:, :m] = r * old[:, :m] + np.sqrt(1 - r**2) * new[:, :m]
    seeds = range(1, k + 1) if same else range(n + 1, n + k + 1)
    return _measured(1 + noise * old, range(1, n + 1)), _measured(1 + noise * new, seeds)


def worse(run: Measured, entries: Iterable[Entry]) -> Measured:
    """Multiply the scores of `entries` by `LOSS`."""
    scores = dict(run.scores)
    for entry in entries:
        values = scores[entry].values
        scores[entry] = Sample({seed: LOSS * value for seed, value in values.items()})
    return dataclasses.replace(run, scores=scores)


def alarmed(base: Measured, new: Measured, rules: Rules) -> bool:
    return check(base, new, rules).exit_code == 1


def redraw(pool: Measured, builds: int, n: int = 5) -> None:
    """Take the seeds of a real run for those of many runs."""
    rng = np.random.default_rng(1)
    noisy = [entry for entry, sample in pool.scores.items() if sample.sd > 0]
    print(f"{len(pool.seeds)} seeds, {len(pool.scores)} scores, {len(noisy)} of them with noise")
    for entry in noisy:
        sample = pool.scores[entry]
        print(f"  {entry.imputer:24} {entry.metric:14} {sample.mean:9.4f} ± {sample.sd:.4f}")
    losers = [entry for entry in pool.scores if entry.metric == "mse" and entry in noisy]
    alarms, seen = 0, dict.fromkeys(losers, 0)
    for _ in range(builds):
        seeds = rng.permutation(pool.seeds)
        base, new = _of_seeds(pool, seeds[:n]), _of_seeds(pool, seeds[n : 2 * n])
        alarms += alarmed(base, new, Rules())
        for entry in losers:
            seen[entry] += alarmed(base, worse(new, [entry]), Rules())
    print(f"false alarms, {n} + {n} other seeds: {alarms} of {builds} builds")
    for entry, count in seen.items():
        sample = pool.scores[entry]
        print(f"5 % loss of {entry.imputer} (noise {sample.sd / sample.mean:.2%}): {count} seen")


def _of_seeds(pool: Measured, seeds: np.ndarray) -> Measured:
    chosen = {
        entry: Sample({int(seed): sample.values[int(seed)] for seed in seeds})
        for entry, sample in pool.scores.items()
    }
    return dataclasses.replace(pool, scores=chosen, runtimes={})


def _measured(values: np.ndarray, seeds: Iterable[int]) -> Measured:
    seeds = list(seeds)
    scores = {
        Entry("d", "p", f"method-{i // len(METRICS)}", METRICS[i % len(METRICS)]): Sample(
            dict(zip(seeds, map(float, row), strict=True))
        )
        for i, row in enumerate(values)
    }
    facts = {name: MetricFacts("min", bounded=False) for name in METRICS}
    return Measured("1", "simulated", "0", {"d": "0"}, {}, facts, scores, {})


if __name__ == "__main__":
    main()
