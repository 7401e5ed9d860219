"""Our DCA beside the original: errors against the simulated truth, steps, and time on one core.

Run ``python benchmarks/parity_dca.py REFERENCE``, where the folder REFERENCE holds
``inputs/small_{batch,rare}.h5ad``, ``dca/TYPE_INPUT.npz`` (the original's output) and
``scores_python_originals.csv``. Three seeds each. The floor of a run is the time of its matrix
products alone: a hidden layer's and the heads' output, and both their gradients, at every step.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from impbench_plugins.dca import Dca
from impbench_plugins.dca.training import DcaTrainingSet
from threadpoolctl import threadpool_limits

from impbench import Context, Observed

SPLITS = ["mse", "dropout_mse", "biozero_mse"]
TYPES = ("nb-conddisp", "nb", "zinb-conddisp", "zinb", "poisson")
HEADS = {"nb-conddisp": 2, "nb": 1, "zinb-conddisp": 3, "zinb": 2, "poisson": 1}


def main(reference: Path) -> None:
    scores = pd.read_csv(reference / "scores_python_originals.csv")
    print("| type | input | step | original (sd) | ours (sd) | difference |")
    print("|---|---|---|---|---|---|")
    times = []
    for type in TYPES:
        imputer = Dca(type=type)
        imputer.prepare(Context())
        for path in sorted((reference / "inputs").glob("small_[br]*.h5ad")):
            cells = anndata.read_h5ad(path)
            counts, truth = (
                np.asarray(m.todense()) for m in (cells.X, cells.layers["true_counts"])
            )
            observed, true = Observed.from_counts(counts), Observed.from_counts(truth).lognorm
            wanted = (scores.method == f"dca-{type}") & (scores.input == path.stem)
            original, ours, seconds, steps = scores[wanted][SPLITS], [], [], 0
            stored = reference / "dca" / f"{type}_{path.stem}.npz"
            if stored.exists():
                saved = np.load(stored)
                again = splits(saved["mean_seed1"], observed, truth, true)
                np.testing.assert_allclose(again, original.iloc[0], rtol=1e-4)
                data = DcaTrainingSet.prepare(counts)
                logs = np.log1p(counts / data.factors[:, None])
                inputs = (logs - saved["var_mean_seed1"]) / saved["var_std_seed1"]
                np.testing.assert_allclose(data.inputs, inputs, atol=1e-5)
            for seed in (1, 2, 3):
                start = time.perf_counter()
                imputed = imputer.impute(observed, Context(seed=seed))
                seconds.append(time.perf_counter() - start)
                steps += imputed.info["epochs"] * -(-(9 * len(counts) // 10) // 32)
                ours.append(splits(imputed.counts(observed), observed, truth, true))
            times.append((type, path.stem, steps / 3, floor(counts.shape[1], type), seconds))
            for column, values in zip(SPLITS, np.transpose(ours), strict=True):
                was = original[column]
                print(
                    f"| {type} | {path.stem} | {column.replace('_', '-')} "
                    f"| {was.mean():.3f} ({was.std():.3f}) "
                    f"| {values.mean():.3f} ({values.std(ddof=1):.3f}) "
                    f"| {values.mean() / was.mean() - 1:+.1%} |"
                    if len(was)
                    else f"| {type} | {path.stem} | {column.replace('_', '-')} | not recorded "
                    f"| {values.mean():.3f} ({values.std(ddof=1):.3f}) | |"
                )
    print("\n| type | input | steps | floor, s | measured, s | ratio |\n|---|---|---|---|---|---|")
    for type, name, steps, per_step, seconds in times:
        total, mean = steps * per_step, np.mean(seconds)
        print(f"| {type} | {name} | {steps:.0f} | {total:.2f} | {mean:.2f} | {mean / total:.1f} |")


def splits(imputed, observed, truth, true):  # type: ignore[no-untyped-def]
    """MSE overall, at dropouts and at biological zeros; each matrix by its own size factors."""
    error = (Observed.from_counts(imputed, observed.size_factors).lognorm - true) ** 2
    dropout = (observed.dense_counts == 0) & (truth > 0)
    return error.mean(), error[dropout].mean(), error[truth == 0].mean()


def floor(n_genes: int, type: str) -> float:
    """Seconds of one step's matrix products at 32 cells."""
    rng = np.random.default_rng(0)
    widths, outputs = (n_genes, 64, 32, 64), HEADS[type] * n_genes
    layers = [
        [rng.random(shape, dtype=np.float32) for shape in ((32, m), (m, n), (32, n))]
        for m, n in zip(widths, (*widths[1:], outputs), strict=True)
    ]
    best = np.inf
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(100):
            for k, (inputs, weights, by_output) in enumerate(layers):
                inputs @ weights
                inputs.T @ by_output
                if k > 0:
                    by_output @ weights.T
        best = min(best, (time.perf_counter() - start) / 100)
    return best


if __name__ == "__main__":
    with threadpool_limits(1):
        main(Path(sys.argv[1]))
