"""What clipping log values at 0 would do to the error of every method that runs here.

Run by hand: ``python benchmarks/negative_values.py``. Networks are fitted for a few epochs, which
shows whether their output can be negative.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from impbench.context import Context
from impbench.protocols.simulated_truth import SimulatedTruth
from impbench.registry import registry

DATASET = "sim_rare[n_cells=200]"
IMPUTERS = (
    "maskclass-best",
    "maskclass-balanced",
    "magic",
    "alra",
    "autoclass",
    "autoimpute[hidden=200,steps=200]",
    "ccimpute",
    "cnnimpute[epochs=5]",
    "cnnimpute-nl[epochs=5]",
    "dca",
    "deepimpute[epochs=50]",
    "drimpute",
    "knn-smoothing",
    "scimpute",
    "scmae[epochs=30]",
    "zipo[epochs=20]",
)


def main() -> None:
    """Print one row per method, Markdown."""
    problem = SimulatedTruth().pose(registry().dataset(DATASET).load(), seed=1)
    truth = problem.hidden.truth()
    assert truth is not None
    print("| imputer | scale | negative | least | MSE | clipped at 0 |")
    print("|---|---|---:|---:|---:|---:|")
    for spec in IMPUTERS:
        with tempfile.TemporaryDirectory() as scratch:
            context = Context(seed=1, scratch=Path(scratch))
            imputed = registry().imputer(spec).impute(problem.observed, context)
        raw = np.asarray(imputed.expression)
        logs = imputed.lognorm(problem.observed).astype(np.float64)
        errors = [
            float(np.square(values - truth.expression).mean())
            for values in (logs, np.maximum(logs, 0))
        ]
        print(
            f"| `{spec}` | {imputed.scale} | {(raw < 0).mean():.1%} | {raw.min():.3g} "
            f"| {errors[0]:.3f} | {errors[1]:.3f} |"
        )


if __name__ == "__main__":
    main()
