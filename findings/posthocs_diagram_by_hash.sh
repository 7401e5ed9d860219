#!/usr/bin/env bash
# scikit-posthocs 0.17.1 draws another critical-difference diagram in each process, from the same ranks.
#
# One would expect: the same ranks and the same p values give the same drawing.
# What happens: the methods that a bar joins are kept in a set, and drawn in its order, which for names follows
#   their hashes: another in each process, unless PYTHONHASHSEED is set. The bars look alike and the files differ.
# Version: scikit-posthocs 0.17.1. Where: scikit_posthocs/_plotting.py, critical_difference_diagram (crossbar_sets) and
#   _find_maximal_cliques, which returns sets.
# Why it matters here: whoever draws a page again, or checks a published one, compares its bytes.
#   impbench/report/figures/ranks.py hands it places instead of names, whose order in a set does not change.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet scikit-posthocs==0.17.1 matplotlib==3.10.0 numpy==2.2.6 pandas==2.3.3 scipy==1.15.3
cat >"$work/draw.py" <<'PY'
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import scikit_posthocs as sp

kind = sys.argv[1]
names = [f"method-{i}" for i in range(9)] if kind == "names" else list(range(9))
ranks = pd.Series(np.linspace(1, 9, 9), index=names)
apart = np.abs(np.subtract.outer(ranks.to_numpy(), ranks.to_numpy()))
p = pd.DataFrame(np.where(apart > 4.5, 0.01, 0.5), index=names, columns=names)
figure, axes = plt.subplots()
drawn = sp.critical_difference_diagram(ranks, p, ax=axes)
for (bar,) in drawn["crossbars"]:
    print([float(x) for x in bar.get_xdata()], [float(y) for y in bar.get_ydata()][:1])
PY
cd "$work"
"$work/venv/bin/python" -c 'import scikit_posthocs; print("scikit-posthocs", scikit_posthocs.__version__)'
for kind in names places; do
    for seed in 1 2; do
        PYTHONHASHSEED=$seed "$work/venv/bin/python" draw.py $kind >$kind$seed.txt
    done
done
echo "the first bar of the same diagram, drawn by two processes:"
head -1 names1.txt names2.txt
if cmp -s names1.txt names2.txt; then
    echo "changed: both processes draw the same"
    exit 1
fi
cmp places1.txt places2.txt
echo "as described: with names two processes draw their bars in another order, with whole numbers in the same"
