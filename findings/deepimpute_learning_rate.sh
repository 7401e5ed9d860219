#!/usr/bin/env bash
# deepimpute trains with Adam's default step on TensorFlow 2.11 to 2.15, whatever `learning_rate` says.
#
# One would expect: MultiNet(learning_rate=1e-4), its default and the published value, trains with 1e-4.
# What happens: values are bit for bit the same with 1e-4, 1e-3 and 1e-2, all of them those of 1e-3. Keras logs that
#   `lr` is deprecated, and drops it. TensorFlow 2.10 heeds it.
# Version: deepimpute 1.2 (the newest release), TensorFlow 2.15.1 with Keras 2.15.0.
# Where: deepimpute/multinet.py, MultiNet.build: keras.optimizers.Adam(lr=...); Keras 2.11 and later take `lr` out of
#   the arguments without using it.
# Why it matters here: errors of "DeepImpute" from different years are those of two step sizes, ten times apart.
#   `deepimpute-original` asks for TensorFlow 2.10; `deepimpute` uses the step that its parameter says.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet tensorflow-cpu==2.15.1 keras==2.15.0 numpy==1.26.4 pandas==2.3.3 scipy==1.15.3
# What it declares includes a package that refuses to be installed.
"$work/venv/bin/pip" install --quiet --no-deps deepimpute==1.2
cat > "$work/look.py" <<'PY'
import contextlib
import importlib.metadata
import io
import random
import sys

import numpy as np
import pandas as pd
from deepimpute.multinet import MultiNet

for name in ("deepimpute", "tensorflow-cpu", "keras"):
    print(name, importlib.metadata.version(name))
counts = pd.DataFrame(np.random.default_rng(0).negative_binomial(1, 0.05, (60, 25)).astype(float))
values = {}
for rate in (1e-4, 1e-3, 1e-2):
    random.seed(1)
    model = MultiNet(learning_rate=rate, sub_outputdim=10, max_epochs=3, verbose=0, ncores=1, seed=1)
    with contextlib.redirect_stdout(io.StringIO()):
        values[rate] = model.fit(counts).predict(counts).to_numpy()
    print(f"learning_rate={rate:g}: mean of the values {values[rate].mean():.6f}")
same = all(np.array_equal(values[rate], values[1e-3]) for rate in values)
print("the same values whatever the learning rate:", same)
sys.exit(not same)
PY
cd "$work"
TF_CPP_MIN_LOG_LEVEL=2 "$work/venv/bin/python" -W ignore look.py
