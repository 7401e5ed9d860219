"""Our AutoImpute beside the output of its authors' program: steps, errors, spread at the zeros.

Run ``python benchmarks/parity_autoimpute.py REFERENCE [--inputs NAME ...] [--seeds N ...]``, where
REFERENCE holds ``inputs`` and ``autoimpute`` (three seeds each of the decoder's output on log2
values). Random numbers differ, so both are compared in distribution. Errors are mean squares
against log2(1 + true count / size factor) where the input has a truth; besides, the fit to the
non-zeros, and mean and standard deviation of what stands at the zeros. --with SPEC measures another
imputer in the place of ours.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import anndata
import numpy as np
from numpy.typing import NDArray

from impbench import Context, Observed, get_imputer

INPUTS = ("small_rare", "small_batch", "small_celseq2")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", type=Path)
    parser.add_argument("--inputs", nargs="+", default=INPUTS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--with", dest="spec", default="autoimpute")
    arguments = parser.parse_args()
    imputer = get_imputer(arguments.spec)
    imputer.prepare(Context())
    print("| input | by | seed | steps | mse | dropout | biozero | fit | at zeros | CPU s |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name in arguments.inputs:
        cells = anndata.read_h5ad(arguments.reference / "inputs" / f"{name}.h5ad")
        observed, truth = Observed.from_counts(cells.X), None
        if "true_counts" in cells.layers:
            truth = Observed.from_counts(cells.layers["true_counts"]).lognorm
        stored = np.load(arguments.reference / "autoimpute" / f"{name}.npz")
        runs = json.loads((arguments.reference / "autoimpute" / f"{name}.json").read_text())["runs"]
        for run in runs:
            values = stored[f"imputed_seed{run['seed']}"]
            cost = run.get("cpu_seconds", np.nan)
            show(name, "original", run["seed"], "", values, observed, truth, cost)
        for seed in arguments.seeds:
            start = time.process_time()
            imputed = imputer.impute(observed, Context(seed=seed))
            cost = time.process_time() - start
            steps = imputed.info["steps"]
            show(name, "ours", seed, steps, imputed.expression, observed, truth, cost)


def show(
    name: str,
    by: str,
    seed: int,
    steps: Any,
    values: NDArray[Any],
    observed: Observed,
    truth: NDArray[Any] | None,
    cost: float,
) -> None:
    """Print one line of the table."""
    seen = observed.lognorm > 0
    errors = ["", "", ""]
    if truth is not None:
        squares = (values - truth) ** 2
        parts = (np.ones_like(seen), ~seen & (truth > 0), ~seen & (truth == 0))
        errors = [f"{squares[part].mean():.2f}" for part in parts]
    fit = ((values - observed.lognorm)[seen] ** 2).mean()
    zeros = f"{values[~seen].mean():.2f} ± {values[~seen].std():.2f}"
    line = [name, by, str(seed), str(steps), *errors, f"{fit:.4f}", zeros, f"{cost:.0f}"]
    print(f"| {' | '.join(line)} |", flush=True)


if __name__ == "__main__":
    main()
