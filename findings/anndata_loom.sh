#!/usr/bin/env bash
# A loom file that anndata wrote with its defaults comes back from anndata without the names of its cells
# and genes.
#
# One would expect: read_loom reads what write_loom wrote, as read_h5ad does for write_h5ad.
# What happens: cells and genes are called 0, 1, 2; the names are columns obs_names and var_names. No
#   word is said.
# Version: anndata 0.12.19 with loompy 3.0.8. Where: anndata/_io/write.py, write_loom, stores an index
#   without a name as obs_names and var_names; anndata/_io/read.py, read_loom, looks for CellID and
#   Gene (its defaults of obs_names and var_names), which such a file lacks.
# Why it matters here: numbers pass for names everywhere after. impbench reads loom by itself
#   (impbench/data/loom.py) and finds the names.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet anndata==0.12.19 loompy==3.0.8 numpy==2.4.6 pandas==2.3.3
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys
from importlib.metadata import version

import anndata
import numpy as np
import pandas as pd

print("anndata", version("anndata"), "loompy", version("loompy"))
counts = np.random.default_rng(0).poisson(2.0, (3, 2)).astype("float32")
cells = pd.DataFrame(index=["AAAC-1", "AAAG-1", "AAAT-1"])
genes = pd.DataFrame(index=["Actb", "Gapdh"])
anndata.AnnData(counts, cells, genes).write_loom("my.loom")
back = anndata.io.read_loom("my.loom")
print("written:", list(cells.index), list(genes.index))
print("read:   ", list(back.obs_names), list(back.var_names))
print("columns:", {key: list(back.obs[key]) for key in back.obs})
lost = list(back.obs_names) == ["0", "1", "2"] and list(back.var_names) == ["0", "1"]
sys.exit(not (lost and list(back.obs["obs_names"]) == list(cells.index)))
PY
