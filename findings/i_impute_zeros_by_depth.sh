#!/usr/bin/env bash
# i-impute leaves a zero alone or fills it depending on how deeply its cell was sequenced.
#
# One would expect: a zero that the method takes for a true zero comes back as zero, however deep the cell.
# What happens: where a cell has more than about 38 000 counts, none of its zeros comes back as zero. Counts times ten
#   are the same counts per million, which is all that the method works on; zeros that stayed are filled then.
# Version: i-impute 1.0.6. Where: iimpute/iimpute.py, IImpute.__init__: a zero is log10(1.01) on the log scale that
#   normalize=True uses, but ZERO_VALUE is 0.01 there, and log10(1.01) where nothing is logged. Values are raised to
#   ZERO_VALUE at the end of _cimpute, which is 0.013 counts per million instead of 0, and then rounded to three
#   decimals in the cell's own depth. The mixture's start, too, counts zeros as values equal to ZERO_VALUE: none is.
# Why it matters here: the share of filled zeros, and the error, of iimpute-original go with depth.
#   plugins/originals/iimpute.py leaves it as published.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet i-impute==1.0.6 tasklogger==1.2.0 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1 \
    scikit-learn==1.9.1
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys
from importlib.metadata import version

import numpy as np
import pandas as pd
from iimpute import IImpute

print("i-impute", version("i-impute"))
rng = np.random.default_rng(0)
counts = rng.poisson(rng.gamma(0.5, 200.0, (100, 1)), (100, 40)).astype(float)
counts *= rng.random(counts.shape) < 0.7
left = {}
for times in (1, 10):
    imputed = IImpute(verbose=0).impute(pd.DataFrame(counts * times)).to_numpy()
    zeros = imputed[counts == 0]
    left[times] = (zeros == 0).mean()
    print(
        f"{np.median(counts.sum(axis=0)) * times:.0f} counts per cell: {left[times]:.1%} of the zeros stay; "
        f"lowest {zeros.min():g}, observed kept: {np.array_equal(imputed[counts > 0], counts[counts > 0] * times)}"
    )
sys.exit(not (left[1] > 0.05 and left[10] == 0))
PY
