#!/usr/bin/env bash
# scranpy 0.3.1 calls genes highly variable that vary less than their mean predicts, ranks genes never
# seen above them, and returns more than asked for where genes tie.
#
# One would expect: the genes of R's scran::getTopHVGs, whose default keeps those with a positive
#   residual alone (var.threshold = 0) and at most n of them.
# What happens: choose_highly_variable_genes keeps `top` genes whatever their residual (bound=None),
#   takes the residual 0 of a gene without a count for more than a negative one, and keeps all
#   that tie with the last (keep_ties=True).
# Version: scranpy 0.3.1. Where: scranpy/choose_highly_variable_genes.py,
#   choose_highly_variable_genes, its defaults bound=None and keep_ties=True.
# Why it matters here: hvg=scran stands for what scran does; impbench takes scranpy's residuals and
#   chooses by itself (impbench/data/genes.py).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet scranpy==0.3.1 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - <<'PY'
import sys
from importlib.metadata import version

import numpy as np
import scranpy

print("scranpy", version("scranpy"))
rng = np.random.default_rng(0)
counts = rng.poisson(rng.uniform(1, 20, 400), (80, 400)).astype(float)  # cells × genes
counts[:, 380:] = 0  # never seen
counts[:, 100:160] = counts[:, [100]] * rng.integers(0, 6, (80, 1))  # sixty that tie
residual = scranpy.model_gene_variances(np.log2(counts.T + 1))["statistics"]["residual"]
above = int((residual > 0).sum())
many = scranpy.choose_highly_variable_genes(residual, top=350)
below = int((residual[many] < 0).sum())
unseen = int((many >= 380).sum())
better = int((residual > residual[100]).sum())
few = len(scranpy.choose_highly_variable_genes(residual, top=better + 10))
print(f"{above} of 400 genes above the trend, 350 asked for: {len(many)} returned,")
print(f"{below} of them below the trend and {unseen} of the 20 that were never seen")
print(f"{better + 10} asked for, with 60 that tie at the end: {few} returned")
sys.exit(not (above < 350 and below > 0 and unseen == 20 and few == better + 60))
PY
