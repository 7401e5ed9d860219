#!/usr/bin/env bash
# A numba function gives other last bits in the process that compiles it than in those that load it from the cache.
#
# One would expect: with cache=True the same machine code runs in every process, so the first run and the second
#   of one script print the same number.
# What happens: with fastmath, where a function calls another that is too long to be inlined, the first run's
#   sum differs from all later ones in the ninth digit, on one machine, on one thread, with one seed.
# Version: numba 0.68.1, llvmlite as it asks for. A report on speed alone: numba/numba issue 10617.
# Where: numba/core/codegen.py, CodeLibrary._get_module_for_linking: a callee is linked into its caller as
#   linkonce_odr and optimised there once more. The process that compiles also holds the callee's own code, and
#   its linker takes that one; a process that loads has the caller's copy alone.
# Why it matters here: a benchmark's scores differ between the first run after an installation and the second.
#   plugins/shared/compiled.py marks the copies as private, so that both run the same code.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q numba==0.68.1 numpy==2.2.6
cat > "$work/look.py" <<'PY'
import numba
import numpy as np

options = {"cache": True, "fastmath": True, "error_model": "numpy"}


@numba.njit(**options)
def adam(w, g, m, v, step, learning_rate):
    rate = np.float32(learning_rate / (1 - 0.9**step))
    root = np.float32(1 / np.sqrt(1 - 0.999**step))
    for k in range(w.size):
        m[k] = np.float32(0.9) * m[k] + np.float32(0.1) * g[k]
        v[k] = np.float32(0.999) * v[k] + np.float32(0.001) * g[k] * g[k]
        w[k] -= rate * m[k] / (np.sqrt(v[k]) * root + np.float32(1e-8))


@numba.njit(**options)
def train(w, g, m, v, steps):
    for step in range(1, steps + 1):
        adam(w, g, m, v, step, 1e-3)
        adam(g, w, m, v, step, 1e-3)


w, g = np.random.default_rng(0).normal(size=(2, 1003)).astype(np.float32)
m, v = np.zeros((2, 1003), np.float32)
train(w, g, m, v, 50)
print(repr(float(w.astype(float).sum())), "loaded" if train.stats.cache_hits else "compiled")
PY
# One target for all machines of the last ten years, so that the numbers are the same everywhere.
export NUMBA_CACHE_DIR="$work/cache" NUMBA_CPU_NAME=haswell NUMBA_CPU_FEATURES="+avx2,+fma"
"$work/venv/bin/python" -c "import numba, llvmlite, numpy; print('numba', numba.__version__, 'llvmlite', llvmlite.__version__, 'numpy', numpy.__version__)"
for run in 1 2 3; do "$work/venv/bin/python" "$work/look.py" | tee "$work/run$run"; done
read -r first how < "$work/run1"; [ "$how" = compiled ]
read -r second how < "$work/run2"; [ "$how" = loaded ]
cmp -s "$work/run2" "$work/run3" || { echo "two that load differ too: this finding is out of date"; exit 1; }
[ "$first" != "$second" ] || { echo "the bits are the same now: this finding is out of date"; exit 1; }
