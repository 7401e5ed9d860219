"""What the calibration scores make of standard deviations that are right, absent or too large.

Run as ``python benchmarks/calibration_sensitivity.py``; a minute. Prints the table of
docs/protocols.md: SAVER on pbmc68k-reduced, seed 1, its standard deviations tampered with.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import impbench
from impbench.metrics import coverage
from impbench.protocols.calibration import Calibration
from impbench.registry import registry

METRICS = (
    coverage.coverage_50,
    coverage.coverage_90,
    coverage.coverage_95,
    coverage.undercoverage,
)


def main() -> None:
    dataset = registry().dataset("pbmc68k-reduced").load()
    for train in (0.5, 0.9):
        protocol = Calibration(train=train)
        problem = protocol.pose(dataset, seed=1)
        observed = problem.observed
        saver = impbench.get_imputer("saver").impute(observed, impbench.Context(seed=1))
        assert saver.std is not None
        counts = observed.dense_counts.astype(np.float64)
        factors = observed.size_factors[:, None]
        means = factors * (counts / factors).mean(axis=0)
        answers = {
            "saver": saver,
            "its std set to 0": replace(saver, std=0 * saver.std),
            "its std times 3": replace(saver, std=3 * saver.std),
            "gene means, std 0": impbench.Imputed(means, "counts", std=0 * means),
            "counts, std = sqrt": impbench.Imputed(counts, "counts", std=np.sqrt(counts)),
        }
        print(f"train={train}", *(metric.name for metric in METRICS), "interval-width", sep="\t")
        for name, answer in answers.items():
            evidence = protocol.evidence(problem, answer, seed=1)
            scores = [metric(evidence["pit"]()) for metric in METRICS]
            width = coverage.interval_width(evidence["interval_width"]())
            print(name, *(f"{score:.4f}" for score in scores), f"{width:.3f}", sep="\t")


if __name__ == "__main__":
    main()
