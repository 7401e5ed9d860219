"""How often `impbench check` cries wolf, and how often it sees a loss of 5 %, by simulation.

Run ``python benchmarks/regression_power.py``. A build has 70 scores with noise of which 6 lead, as
the suite ``regression`` has; their noise is normal with the same standard deviation over seeds, as
a share of the mean. Builds are drawn in pairs: an unchanged one, and one in which one score's mean
is 5 % worse. `regression_reruns.py` asks the same of real runs.
"""

from __future__ import annotations

import argparse
import time
from typing import NamedTuple

import numpy as np

from impbench.regress.check import check
from impbench.regress.measured import ComparedMetric, Measured, Sample, ScoreKey
from impbench.regress.rules import Floor, Rules

LOSS = 1.05
NOISE = (0.005, 0.01, 0.021, 0.03)
SCORES, LEADING = 70, 6
NO_FLOOR = Rules(floors={"mse": Floor(0.0, relative=True)})


class Setting(NamedTuple):
    """How baseline and new run come about."""

    n: int
    same_seeds: bool = False
    r: float = 0.0
    leads: bool = True

    def __str__(self) -> str:
        seeds = f"same, r = {self.r:g}" if self.same_seeds else "other"
        return f"{self.n} + 5 {seeds}{'' if self.leads else ', not leading'}"


SETTINGS = (
    Setting(5),
    Setting(10),
    Setting(50),
    Setting(100),
    Setting(100, leads=False),
    Setting(100, same_seeds=True),
    Setting(100, same_seeds=True, r=0.99),
    Setting(5, same_seeds=True, r=0.99),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--builds", type=int, default=200)
    parser.add_argument("--noise", type=float, nargs="+", default=NOISE)
    options = parser.parse_args()
    builds = options.builds
    print(f"{builds} unchanged and {builds} worse builds per line, {SCORES} scores each")
    print(f"{'noise':>6} {'seeds':>26} {'alarms':>7} {'floor 0':>8} {'loss seen':>10} {'s':>5}")
    rng = np.random.default_rng(1)
    for noise in options.noise:
        for setting in SETTINGS:
            start = time.perf_counter()
            counts = np.zeros(3, int)
            for _ in range(builds):
                old, new = draw(rng, noise, setting)
                worse = new.copy()
                loser = 0 if setting.leads else LEADING
                worse[loser] *= LOSS
                first = 1 if setting.same_seeds else setting.n + 1
                base, unchanged, changed = run(old), run(new, first), run(worse, first)
                counts += [
                    check(base, unchanged).exit_code == 1,
                    check(base, unchanged, NO_FLOOR).exit_code == 1,
                    check(base, changed).findings[loser].status == "regression",
                ]
            alarms, without_floor, seen = counts / builds
            print(
                f"{noise:6.2%} {setting!s:>26} {alarms:7.1%} {without_floor:8.1%} {seen:10.1%} "
                f"{time.perf_counter() - start:5.0f}",
                flush=True,
            )


def draw(rng: np.random.Generator, noise: float, setting: Setting) -> tuple[np.ndarray, np.ndarray]:
    """Scores (70, n) and (70, 5); `r` correlates those of a seed that both have."""
    old, new = rng.normal(size=(SCORES, setting.n)), rng.normal(size=(SCORES, 5))
    new = setting.r * old[:, :5] + np.sqrt(1 - setting.r**2) * new
    return 1 + noise * old, 1 + noise * new


def run(values: np.ndarray, first: int = 1) -> Measured:
    """Scores as a run with the seeds `first`, `first` + 1 and so on would have them."""
    scores = {
        ScoreKey("d", "p", f"method-{i:02}", "mse"): Sample(
            dict(enumerate(map(float, row), first)), leads=i < LEADING
        )
        for i, row in enumerate(values)
    }
    facts = {"mse": ComparedMetric("min", bounded=False)}
    return Measured("1", "simulated", "0", {"d": "0"}, {}, facts, scores, {})


if __name__ == "__main__":
    main()
