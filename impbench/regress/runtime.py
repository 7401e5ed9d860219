"""Compare runtimes in units of a control's, so that a slower machine does not count."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from impbench.regress.decide import Evidence, holm, weigh
from impbench.regress.measured import Runtime

UNIT_BEFORE_ROLES = "maskclass-prior"
"""The control in whose time runs are counted whose manifests know no `impbench.imputer.Role`."""

MAX_SLOWDOWN = 1.25
"""Ratio of two ratios that is not worth a warning; timings on shared machines vary that much."""

SHORTEST = 0.05
"""Seconds; the jitter of starting and of timers is a large part of anything shorter."""


@dataclass(frozen=True)
class Pace:
    """One method's runtime ratio to the control, then and now."""

    dataset: str
    imputer: str
    base: float
    """Geometric mean over seeds of method : control."""
    new: float
    """The same of the new run."""
    p_slower: float
    """Corrected p value (Holm) of a slowdown of at most the allowed one."""
    slower: bool
    """Whether the slowdown is beyond noise and allowance."""

    @property
    def slowdown(self) -> float:
        """Ratio of the two; 2 means twice as slow."""
        return self.new / self.base


Runtimes = Mapping[tuple[str, str], Runtime]


def compare_runtimes(
    base: Runtimes, new: Runtimes, control: str, max_slowdown: float, alpha: float
) -> tuple[list[Pace], str]:
    """Compare what can be compared; the text says what cannot, and is empty if all can.

    The logarithms of the ratios are tested as scores are, the old ones log(`max_slowdown`) higher.
    Seeds are not paired: the same seed does not repeat the machine's load.
    """
    measured: list[tuple[str, str, float, float, Evidence]] = []
    elsewhere = set()
    for dataset, imputer in sorted(base.keys() & new.keys()):
        old, now = base[dataset, imputer], new[dataset, imputer]
        if old.is_control or max(_mean(old), _mean(now)) < SHORTEST:
            continue
        if (old.device, old.threads) != (now.device, now.threads):
            elsewhere.add(imputer)
            continue
        x = _log_ratios(old, base.get((dataset, control)))
        y = _log_ratios(now, new.get((dataset, control)))
        if min(len(x), len(y)) >= 2:
            allowed = {seed: log + math.log(max_slowdown) for seed, log in x.items()}
            evidence = weigh(allowed, y, "min", paired=False)
            mean_x, mean_y = (sum(logs.values()) / len(logs) for logs in (x, y))
            measured.append((dataset, imputer, math.exp(mean_x), math.exp(mean_y), evidence))
    corrected = holm([evidence.p_worse for *_, evidence in measured])
    paces = [
        Pace(dataset, imputer, then, now_, p, p <= alpha)
        for (dataset, imputer, then, now_, _), p in zip(measured, corrected, strict=True)
    ]
    return paces, _note(paces, elsewhere, control)


def _note(paces: list[Pace], elsewhere: set[str], control: str) -> str:
    if elsewhere:
        names = ", ".join(sorted(elsewhere))
        return f"runtime not compared for {names}: another device or number of threads"
    if not paces:
        return (
            f"runtime not compared: no method takes {SHORTEST:g} s or more on a dataset where "
            f"both runs have the control {control!r} with two seeds"
        )
    return ""


def _mean(runtime: Runtime) -> float:
    return sum(runtime.seconds.values()) / len(runtime.seconds)


def _log_ratios(runtime: Runtime, control: Runtime | None) -> dict[int, float]:
    """Seed → log of method : control, for the seeds that both have."""
    if control is None:
        return {}
    return {
        seed: math.log(seconds / control.seconds[seed])
        for seed, seconds in runtime.seconds.items()
        if seed in control.seconds and seconds > 0 and control.seconds[seed] > 0
    }
