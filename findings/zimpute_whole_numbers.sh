#!/usr/bin/env bash
# zimpute changes observed counts when it is given them as whole numbers, and keeps them as floats.
#
# One would expect: the same result for the same counts, whatever their type; the method's equations keep what was
#   observed.
# What happens: with its normalisation (N_flag="T") and an array of integers, nearly every observed count comes back
#   as another number. In both cases the array that was handed over holds logs afterwards.
# Version: zimpute 1.7. Where: zimpute/zsh.py, Data_Normlization writes normalised values, and then log2(1 + value),
#   into the array it is given: an array of integers cuts both to whole numbers.
# Why it matters here: counts are integers. plugins/originals/zimpute.py hands over a copy in double precision.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet zimpute==1.7 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 matplotlib==3.11.2
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import contextlib
import io
import sys
from importlib.metadata import version

import numpy as np
from zimpute import zsh

print("zimpute", version("zimpute"))
rng = np.random.default_rng(0)
counts = rng.poisson(rng.gamma(0.5, 20.0, 40), (60, 40))
observed = counts > 0
kept, untouched = {}, {}
for kind in (np.int64, np.float64):
    given = counts.astype(kind)
    np.random.seed(1)
    with contextlib.redirect_stdout(io.StringIO()):
        imputed = zsh.Impute(given, N_flag="T")
    name = np.dtype(kind).name
    kept[name] = np.isclose(imputed, counts)[observed].mean()
    untouched[name] = np.array_equal(given, counts)
    print(f"{name}: {kept[name]:.1%} of the observed counts come back; argument unchanged: {untouched[name]}")
sys.exit(not (kept["int64"] < 0.05 and kept["float64"] == 1 and not any(untouched.values())))
PY
