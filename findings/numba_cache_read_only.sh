#!/usr/bin/env bash
# numba ignores compiled code in a cache folder that it may read but not write, and compiles again.
#
# One would expect: code that was compiled at installation, or baked into a container's image, is loaded by whoever can
#   read it, as Python loads .pyc files from a folder that it may not write to.
# What happens: a folder that cannot be written to is passed over, with what is in it. Every process compiles; where
#   there is another place to write, it keeps a second copy there, and a job with a fresh place compiles every time.
# Version: numba 0.68.1.
# Where: numba/core/caching.py, _SourceFileBackedLocatorMixin.from_function: a locator is used only if
#   ensure_cache_path() can make a file in the folder, also when all that follows is to load.
# Why it matters here: the worker of a stranger's method may not write into the package, and compiled MaskClass for 18 s
#   in every job. plugins/shared/compiled.py lets numba read there, before it looks for a folder to write to.
set -euo pipefail
work=$(mktemp -d); trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q numba==0.68.1 numpy==2.2.6
mkdir "$work/package" "$work/elsewhere"
cat > "$work/package/doubling.py" <<'PY'
import numba


@numba.njit(cache=True)
def doubled(x):
    return 2 * x
PY
cat > "$work/look.py" <<'PY'
import sys

sys.path.insert(0, sys.argv[2])
import doubling

doubling.doubled(1.5)
print(sys.argv[1], "loaded" if doubling.doubled.stats.cache_hits else "compiled")
PY
export XDG_CACHE_HOME="$work/elsewhere" HOME="$work/elsewhere" PYTHONDONTWRITEBYTECODE=1
look() { (cd "$work" && "${@:2}" "$work/venv/bin/python" "$work/look.py" "$1" "$work/package"); }
# root may write everywhere, unless it gives that up.
reader=(); [ "$(id -u)" -ne 0 ] || reader=(setpriv --bounding-set=-dac_override)
"$work/venv/bin/python" -c "import numba, numpy; print('numba', numba.__version__, 'numpy', numpy.__version__)"
look owner | tee "$work/first"
look owner | tee "$work/second"
chmod -R a-w "$work/package"
ls "$work/package/__pycache__"
look reader "${reader[@]}" | tee "$work/third"
[ "$(cat "$work/first")" = "owner compiled" ]
[ "$(cat "$work/second")" = "owner loaded" ]
[ "$(cat "$work/third")" = "reader compiled" ] || { echo "it is loaded now: this finding is out of date"; exit 1; }
