#!/usr/bin/env bash
# netNMFsc's `fit` ignores the counts it is given and factorises its third argument.
#
# One would expect: `netNMFMU(...).fit(lam, N, D, X)` learns a model of the data X, as its docstring says, and
#   `fit_transform` does the same and returns the factors besides.
# What happens: `fit` hands its arguments on in order to `fit_transform(lam, N, X)`, whose third is D. Two different
#   matrices of counts give the same model, that of D. No error.
# Version: netNMFsc 2.0, scikit-learn 0.23.2, NumPy 1.23.5, Python 3.8 (PYTHON names it, else python3.8).
# Where: netNMFsc/classes.py, netNMFMU.fit.
# Why it matters here: whoever follows scikit-learn's habit (fit, then components_) benchmarks a factorisation of
#   something that is not the data. plugins/originals/netnmfsc.py calls fit_transform.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.8}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q netNMFsc==2.0 scikit-learn==0.23.2 numpy==1.23.5 scipy==1.10.1 pandas==1.5.3 joblib==1.4.2 mygene==3.2.2
cat > "$work/look.py" <<'PY'
import contextlib
import io
import warnings

import netNMFsc
import numpy as np
import sklearn

warnings.simplefilter("ignore")
print("scikit-learn", sklearn.__version__, "numpy", np.__version__)
genes, cells = 30, 40
rng = np.random.RandomState(0)
one, other = rng.poisson(3.0, (2, genes, cells)).astype(float)
network, third = np.eye(genes), rng.rand(genes, cells)


def model():
    return netNMFsc.netNMFMU(n_components=3, init="nndsvd", random_state=0, max_iter=50, alpha=0.0)


def factors(how, *arguments):
    made = model()
    with contextlib.redirect_stdout(io.StringIO()):
        getattr(made, how)(0.0, network, *arguments)
    return made.components_


same = np.array_equal(factors("fit", third, one), factors("fit", third, other))
of_third = np.allclose(factors("fit", third, one), factors("fit_transform", third))
different = not np.allclose(factors("fit_transform", one), factors("fit_transform", other))
print("fit gives the same for two matrices of counts:", same)
print("and that is what fit_transform makes of the third argument:", of_third)
print("fit_transform tells the two matrices apart:", different)
raise SystemExit(0 if same and of_third and different else 1)
PY
"$work/venv/bin/python" "$work/look.py"
