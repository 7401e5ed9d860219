"""Our DeepImpute beside the original: errors against the simulated truth, and time on one core.

Run ``python benchmarks/parity_deepimpute.py REFERENCE``, where the folder REFERENCE holds
``inputs/small_{batch,rare}.h5ad``, ``deepimpute/INPUT.npz`` (the original's ``imp_seedN``) and
``scores_python_originals.csv``. Three seeds each. The floor of a run is the time of its matrix
products alone: both layers' output and their gradients, at every step.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from impbench_plugins.deepimpute import DeepImpute
from threadpoolctl import threadpool_limits

from impbench import Context, Observed

SPLITS = ["mse", "dropout_mse", "biozero_mse"]


def main(reference: Path) -> None:
    scores = pd.read_csv(reference / "scores_python_originals.csv")
    imputer = DeepImpute()
    imputer.prepare(Context())
    print("| input | step | original (sd) | ours (sd) | difference |\n|---|---|---|---|---|")
    times = []
    for path in sorted((reference / "inputs").glob("small_[br]*.h5ad")):
        cells = anndata.read_h5ad(path)
        counts, truth = (np.asarray(m.todense()) for m in (cells.X, cells.layers["true_counts"]))
        observed, true = Observed.from_counts(counts), Observed.from_counts(truth).lognorm
        original = scores[(scores.method == "deepimpute") & (scores.input == path.stem)][SPLITS]
        stored = np.load(reference / "deepimpute" / f"{path.stem}.npz")["imp_seed1"]
        np.testing.assert_allclose(
            splits(stored, observed, truth, true), original.iloc[0], rtol=1e-4
        )
        np.testing.assert_array_equal(stored[counts > 0], counts[counts > 0])
        ours, seconds, steps = [], [], []
        for seed in (1, 2, 3):
            start = time.perf_counter()
            imputed = imputer.impute(observed, Context(seed=seed))
            seconds.append(time.perf_counter() - start)
            n_training = len(counts) - int(imputer.validation * len(counts))
            steps.append(imputed.info["epochs"] * -(-n_training // imputer.batch_size))
            ours.append(splits(imputed.counts(observed), observed, truth, true))
        times.append((path.stem, np.mean(steps), floor(counts.shape[1]), np.mean(seconds)))
        for column, values in zip(SPLITS, np.transpose(ours), strict=True):
            was = original[column]
            print(
                f"| {path.stem} | {column.replace('_', '-')} | {was.mean():.3f} ({was.std():.3f}) "
                f"| {values.mean():.3f} ({values.std(ddof=1):.3f}) "
                f"| {values.mean() / was.mean() - 1:+.1%} |"
            )
    print("\n| input | steps | floor, s | measured, s | ratio |\n|---|---|---|---|---|")
    for name, n, per_step, mean in times:
        total = n * per_step
        print(f"| {name} | {n:.0f} | {total:.2f} | {mean:.2f} | {mean / total:.1f} |")


def splits(imputed, observed, truth, true):  # type: ignore[no-untyped-def]
    """MSE overall, at dropouts and at biological zeros, by the observed size factors."""
    error = (Observed.from_counts(imputed, observed.size_factors).lognorm - true) ** 2
    dropout = (observed.dense_counts == 0) & (truth > 0)
    return error.mean(), error[dropout].mean(), error[truth == 0].mean()


def floor(n_predictors: int) -> float:
    """Seconds of one step's matrix products at 64 cells, 256 hidden and 512 outputs."""
    rng = np.random.default_rng(0)
    sizes = ((64, n_predictors), (n_predictors, 256), (64, 256), (256, 512), (64, 512))
    inputs, encoder, hidden, decoder, by_output = (rng.random(s, dtype=np.float32) for s in sizes)
    best = np.inf
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(50):
            inputs @ encoder
            hidden @ decoder
            hidden.T @ by_output
            by_output @ decoder.T
            inputs.T @ hidden
        best = min(best, (time.perf_counter() - start) / 50)
    return best


if __name__ == "__main__":
    with threadpool_limits(1):
        main(Path(sys.argv[1]))
