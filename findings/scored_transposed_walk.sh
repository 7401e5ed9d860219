#!/usr/bin/env bash
# SCORED averages cells with weights that do not add up to 1: it uses its random walk transposed.
#
# One would expect: an imputed cell is a weighted mean of cells. All go in with 10 000 counts each, so all come out so.
# What happens: cells come out with totals from 6 700 to 12 900, depending on how many cells count a cell among their
#   neighbours. The AnnData that was handed over is normalised and logged, too, and has lost its rare genes.
# Version: SCORED 0.1.0. Where: scored/scored.py, _random_walk_restart: the rows of the walk's matrix add up to 1,
#   and the expression is multiplied by its transpose (Pcurr.T @ X_t).
# Why it matters here: values of scored-original are off by a factor for each cell. plugins/originals/scored.py
#   leaves it as published.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet SCORED==0.1.0 torch==2.13.0 scanpy==1.11.5 anndata==0.12.19 numpy==2.4.6 \
    scipy==1.17.1 pandas==2.3.3 scikit-learn==1.9.1 umap-learn==0.5.12
cd "$work"
"$work/venv/bin/python" -W ignore - 2> /dev/null <<'PY'
import sys
from importlib.metadata import version

import anndata
import numpy as np
from scored import SCORED

print("SCORED", version("SCORED"), "scanpy", version("scanpy"), "torch", version("torch"))
rng = np.random.default_rng(0)
rates = rng.gamma(0.5, 4.0, (3, 48))[np.repeat(np.arange(3), [60, 30, 10])]
counts = rng.poisson(rates).astype(np.float32)
counts[:, 0] = 0
counts[0, 0] = 1  # A gene of one cell, which SCORED drops.
cells = anndata.AnnData(counts.copy())
imputed = SCORED(cells, device="cpu")
totals = imputed.sum(axis=1)
print(f"{imputed.shape} from {counts.shape}; totals from {totals.min():.0f} to {totals.max():.0f}")
changed = cells.shape != counts.shape
print("argument:", cells.shape, "highest value", cells.X.max(), "of", counts.max())
sys.exit(not (totals.min() < 8_000 and totals.max() > 12_000 and changed))
PY
