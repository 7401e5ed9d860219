"""Our bayNorm against the original's stored output, step by step, and its time.

Run ``python benchmarks/parity_baynorm.py REFERENCE [FILE.h5ad ...]``, where REFERENCE holds
``inputs`` and ``baynorm`` (prior, mean, mode and mean of draws of bayNorm 1.5.14 in R). Of each
file with sparse counts, 300 cells and 250 genes show what another optimiser would make of the
prior. One core.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import anndata
import numpy as np
from impbench_plugins.baynorm import BayNorm
from impbench_plugins.baynorm.capture import from_totals
from impbench_plugins.baynorm.likelihood import log_likelihood
from impbench_plugins.baynorm.method import Estimate, posterior
from impbench_plugins.baynorm.prior import Prior, adjusted, estimate_prior
from scipy.optimize import minimize_scalar

from impbench import Context, Observed


def main(reference: Path, files: list[Path]) -> None:
    BayNorm().prepare(Context())
    print("| input | step | difference |\n|---|---|---|")
    seconds = []
    for path in sorted((reference / "baynorm").glob("*.npz")):
        seconds.append(compare(reference, path))
    print("\n| input | original, s | ours, CPU s | ratio |\n|---|---|---|---|")
    print("\n".join(seconds))
    if files:
        print(
            "\n| file | genes at a bound | adjusted sizes, ordinary optimiser / ours |"
            "\n|---|---|---|"
        )
    for path in files:
        other_optimiser(path)


def other_optimiser(path: Path) -> None:
    counts = Observed.from_counts(anndata.read_h5ad(path).X).dense_counts[:300].astype(np.float64)
    counts = counts[:, (counts > 0).sum(axis=0) >= 5]
    n_genes = min(250, counts.shape[1])
    counts = counts[:, np.random.default_rng(0).choice(counts.shape[1], n_genes, replace=False)]
    counts = counts[counts.any(axis=1)]
    capture = from_totals(counts.sum(axis=1), 0.06)
    prior = estimate_prior(counts, capture)
    bounds = prior.moment_sizes.min(), np.ceil(prior.moment_sizes.max())
    optima = np.array(
        [
            minimize_scalar(
                lambda log, x=x, m=m: -log_likelihood(x, m * capture, np.exp(log)),
                bounds=np.log(bounds),
                method="bounded",
                options={"xatol": 1e-9},
            ).x
            for x, m in zip(np.ascontiguousarray(counts.T), prior.means, strict=True)
        ]
    )
    n_at_bounds = int(np.isin(prior.marginal_sizes, bounds).sum())
    factors = adjusted(prior.moment_sizes, np.exp(optima)) / prior.sizes
    print(
        f"| {path.stem} | {n_at_bounds} of {n_genes} | {factors.min():.2f} to {factors.max():.2f} |"
    )


def compare(reference: Path, path: Path) -> str:
    observed = Observed.from_counts(anndata.read_h5ad(reference / "inputs" / f"{path.stem}.h5ad").X)
    counts = observed.dense_counts
    stored = np.load(path)
    capture = from_totals(counts.sum(axis=1, dtype=np.float64), 0.06)
    say(path, "β", relative(capture, stored["beta"]))
    prior = estimate_prior(counts, capture)
    columns = (prior.means, prior.moment_sizes, prior.marginal_sizes, prior.sizes)
    names = ("mean μ", "moment size", "marginal size", "adjusted size")
    for name, ours, theirs in zip(names, columns, stored["prior"].T, strict=True):
        say(path, name, relative(ours, theirs))

    def molecules(of: Prior, estimate: Estimate, seed: int = 1) -> np.ndarray:
        rng = np.random.default_rng(seed)
        return posterior(counts, capture, of, slice(None), estimate, 20, rng)[0]

    given = Prior(*stored["prior"].T)
    for whose, of in (("its prior", given), ("our prior", prior)):
        say(path, f"mean, {whose}", relative(molecules(of, "mean"), stored["mean"]))
        if "mode" in stored:
            n = int((molecules(of, "mode") != stored["mode"]).sum())
            print(f"| {path.stem} | mode, {whose} | {n} of {counts.size} entries |")
    if "sample_mean_seed1" in stored:
        draws = [molecules(given, "draws", seed) for seed in range(1, 6)]
        apart = [distance(draw, stored["sample_mean_seed1"]) for draw in draws]
        own = [distance(a, b) for i, a in enumerate(draws) for b in draws[:i]]
        print(
            f"| {path.stem} | mean of 20 draws, relative Frobenius | {min(apart):.2%} to "
            f"{max(apart):.2%}; two of ours {min(own):.2%} to {max(own):.2%} |"
        )
    start = time.process_time()
    BayNorm().impute(observed, Context())
    ours = time.process_time() - start
    original = json.loads(path.with_suffix(".json").read_text())["seconds"][0]["seconds"]
    return f"| {path.stem} | {original:.2f} | {ours:.3f} | {original / ours:.0f} |"


def say(path: Path, step: str, difference: float) -> None:
    print(f"| {path.stem} | {step} | {difference:.1e} relative |")


def relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest relative difference; where theirs is 0, ours must be."""
    zero = theirs == 0
    if ours[zero].any():
        return float("inf")
    return float(np.abs(ours[~zero] / theirs[~zero] - 1).max())


def distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
