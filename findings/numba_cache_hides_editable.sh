#!/usr/bin/env bash
# What numba kept in an installed package hides the same package once it is installed for editing.
#
# One would expect: `pip install --editable .` after `pip install .` replaces the package; what runs is the checkout.
# What happens: pip removes what it installed and the .pyc files, not numba's .nbi and .nbc beside them, so the
#   folders stay. setuptools finds a package whose folder has another name than the package through a finder that
#   comes after Python's own; Python's own finds the folder first and imports an empty namespace package. No error:
#   what the package's __init__ defines is gone, and its modules are still found.
# Version: numba 0.68.1, setuptools 80.9.0, pip 25.3.
# Where: numba/core/caching.py, _InTreeCacheLocator (the folder); pip/_internal/req/req_uninstall.py,
#   UninstallPathSet.from_dist (what is removed); setuptools/command/editable_wheel.py, _EditableFinder (its place).
# Why it matters here: who installed impbench, ran it once and then installed a checkout for editing lost MaskClass,
#   which was said to be a plugin without a hook. impbench/hooks.py names the folder to delete now.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q pip==25.3
"$work/venv/bin/pip" install -q numba==0.68.1 numpy==2.2.6 setuptools==80.9.0
mkdir -p "$work/checkout/code/doubling"
cat > "$work/checkout/pyproject.toml" <<'TOML'
[build-system]
requires = ["setuptools==80.9.0"]
build-backend = "setuptools.build_meta"
[project]
name = "example-package"
version = "1"
[tool.setuptools]
packages = ["example_package", "example_package.doubling"]
package-dir = { example_package = "code" }
TOML
touch "$work/checkout/code/__init__.py"
cat > "$work/checkout/code/doubling/__init__.py" <<'PY'
import numba


@numba.njit(cache=True)
def doubled(x):
    return 2 * x
PY
cat > "$work/look.py" <<'PY'
import sys

import example_package.doubling as module

has = hasattr(module, "doubled")
if has:
    module.doubled(1.5)
print(sys.argv[1], "has the function" if has else "is empty: " + type(module.__spec__.loader).__name__)
PY
cd "$work"
venv/bin/python -c "import numba, numpy, pip; print('numba', numba.__version__, 'numpy', numpy.__version__, 'pip', pip.__version__)"
venv/bin/pip install -q --no-build-isolation "$work/checkout"
venv/bin/python look.py installed | tee first
venv/bin/pip install -q --no-build-isolation --editable "$work/checkout"
echo "left in the environment:"
(cd venv/lib/python3*/site-packages && find example_package -type f | sed 's/^/  /')
venv/bin/python look.py editable | tee second
[ "$(cat first)" = "installed has the function" ]
grep -q "^editable is empty" second || { echo "it has the function now: this finding is out of date"; exit 1; }
rm -r venv/lib/python3*/site-packages/example_package
venv/bin/python look.py cleaned | tee third
[ "$(cat third)" = "cleaned has the function" ]
