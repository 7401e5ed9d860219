"""scMAE, ZiPo and scVI beside the controls: errors, clusters, likelihoods and seconds on one core.

Run ``python benchmarks/autoencoders.py FILE.h5ad ...``, each with raw counts in `X`, labels in
`obs["cell_type"]` and, if simulated, `layers["true_counts"]`; ``--imputers a,b`` chooses others and
``--seeds N`` their number. MSE: imputation and truth are each divided by the size factors of their
own counts, then log2(1 + x). ARI: k-means with the true k, on 50 principal components of the
imputed log values, and on the embedding where there is one. The constant model gives every cell the
same shares of genes and Poisson counts; its log-likelihood stands beside ZiPo's.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import anndata
import numpy as np
from scipy.stats import poisson
from sklearn.metrics import adjusted_rand_score

from impbench import Context, Observed, get_imputer
from impbench.protocols.components import principal_components
from impbench.protocols.partition import kmeans

CONTROLS = ["no-imputation", "gene-mean", "nonzero-mean"]
METHODS = ["scmae", "zipo", "zipo[input=log]", "zipo-zinb"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--imputers", default=";".join(CONTROLS + METHODS), help="split by ;")
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    print("| input | imputer | MSE | ARI, expression | ARI, embedding | ln L per cell | seconds |")
    print("|---|---|---|---|---|---|---|")
    for path in asked.files:
        cells = anndata.read_h5ad(path)
        labels = cells.obs["cell_type"].astype(str).to_numpy()
        observed, true = Observed.from_counts(cells.X), None
        if "true_counts" in cells.layers:
            true = Observed.from_counts(cells.layers["true_counts"]).lognorm
        counts = observed.dense_counts
        mean = counts.sum(1, keepdims=True) * counts.sum(0) / counts.sum()
        constant = poisson.logpmf(counts, mean).sum(1).mean()
        print(f"| {path.stem} | constant model | | | | {constant:.0f} | |")
        for spec in asked.imputers.split(";"):
            imputer = get_imputer(spec)
            imputer.prepare(Context())
            rows = [
                measure(imputer, observed, true, labels, seed)
                for seed in range(1, 1 + (asked.seeds if imputer.stochastic else 1))
            ]
            shown = " | ".join(show(column) for column in zip(*rows, strict=True))
            print(f"| {path.stem} | `{spec}` | {shown} |", flush=True)


def measure(imputer, observed, true, labels, seed):  # type: ignore[no-untyped-def]
    """MSE, both ARIs, log-likelihood and seconds of one run; None where there is none."""
    start = time.perf_counter()
    imputed = imputer.impute(observed, Context(seed=seed))
    seconds = time.perf_counter() - start
    logs, k = imputed.lognorm(observed), len(np.unique(labels))
    spaces = [principal_components(logs), imputed.embedding]
    agreements = [
        None if x is None else adjusted_rand_score(labels, kmeans(x, k, 10, 1)) for x in spaces
    ]
    mse = None if true is None else float(((logs - true) ** 2).mean())
    return mse, *agreements, imputed.info.get("log_likelihood"), seconds


def show(values):  # type: ignore[no-untyped-def]
    """Mean and (sd) over seeds."""
    if values[0] is None:
        return ""
    digits = 0 if abs(np.mean(values)) > 100 else 2
    spread = f" ({np.std(values, ddof=1):.{digits}f})" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{spread}"


if __name__ == "__main__":
    main()
