"""What numba keeps on disk: never older than its code, and the same bits as when compiled."""

import os
import pickle
import re
import subprocess
import sys
from typing import NamedTuple

import numba
import numpy as np
import pytest
from impbench_plugins.shared.compiled import njit_unkept

from impbench.worker import landlock

CLASSES = "from typing import NamedTuple\n\nclass {name}(NamedTuple):\n    x: float\n"
LOOP = """
from impbench_plugins.shared.compiled import njit

@njit()
def doubled(pair):
    return 2 * pair.x
"""


def test_a_renamed_class_of_another_file_is_compiled_for_again(tmp_path):
    (tmp_path / "loop.py").write_text(LOOP)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kept"), "PYTHONPATH": "."}
    for name in ("Before", "After"):
        (tmp_path / "classes.py").write_text(CLASSES.format(name=name))
        code = f"import classes, loop; print(loop.doubled(classes.{name}(1.5)))"
        command = [sys.executable, "-B", "-c", code]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert (done.stdout, done.stderr) == ("3.0\n", "")
    assert list((tmp_path / "kept").rglob("*.nbi"))


READING = """
import os
from impbench.worker import landlock
own = os.environ["XDG_CACHE_HOME"]
landlock.restrict([("/", landlock.READ), (own, landlock.READ | landlock.WRITE)])
import classes, loop
print(loop.doubled(classes.Pair(1.5)), loop.doubled.stats.cache_hits.total())
"""


@pytest.mark.skipif(not landlock.abi(), reason="needs Landlock, to close a folder to root too")
def test_what_was_kept_is_used_where_nothing_can_be_kept(tmp_path):
    (tmp_path / "loop.py").write_text(LOOP)
    (tmp_path / "classes.py").write_text(CLASSES.format(name="Pair"))
    (tmp_path / "elsewhere").mkdir()
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "elsewhere"), "PYTHONPATH": "."}
    environment |= {"OPENBLAS_NUM_THREADS": "1"}
    environment.pop("NUMBA_CACHE_DIR", None)
    keeping = "import classes, loop; print(loop.doubled(classes.Pair(1.5)))"
    for code, expected in ((keeping, "3.0\n"), (READING, "3.0 1\n")):
        command = [sys.executable, "-B", "-c", code]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert (done.stdout, done.stderr) == (expected, "")


ADAM = """
import numpy as np
from impbench_plugins.shared.compiled import {njit}

@{njit}(fastmath=True, error_model="numpy")
def adam(w, g, m, v, step, learning_rate):
    rate = np.float32(learning_rate / (1 - 0.9**step))
    root = np.float32(1 / np.sqrt(1 - 0.999**step))
    for k in range(w.size):
        m[k] = np.float32(0.9) * m[k] + np.float32(0.1) * g[k]
        v[k] = np.float32(0.999) * v[k] + np.float32(0.001) * g[k] * g[k]
        w[k] -= rate * m[k] / (np.sqrt(v[k]) * root + np.float32(1e-8))
"""
TRAIN = """
import numpy as np
from impbench_plugins.shared.compiled import njit
from adam import adam

@njit(fastmath=True, error_model="numpy")
def train(w, g, m, v, steps):
    for step in range(1, steps + 1):
        adam(w, g, m, v, step, 1e-3)
        adam(g, w, m, v, step, 1e-3)

w, g = np.random.default_rng(0).normal(size=(2, 1003)).astype(np.float32)
m, v = np.zeros((2, 1003), np.float32)
train(w, g, m, v, 50)
print(w.astype(float).sum().hex(), train.stats.cache_hits.total())
"""


@pytest.mark.parametrize("njit", ["njit", "njit_unkept"])
def test_who_compiles_and_who_loads_run_the_same_code(tmp_path, njit):
    """Plain numba differs in the ninth digit here: findings/numba_cache_last_bits.sh."""
    (tmp_path / "adam.py").write_text(ADAM.format(njit=njit))
    (tmp_path / "train.py").write_text(TRAIN)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kept"), "PYTHONPATH": "."}
    environment |= {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+fma"}
    command = [sys.executable, "-B", "train.py"]
    (first, compiled), (second, loaded) = (
        subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(2)
    )
    assert (compiled, loaded) == ("0", "1")
    assert first == second


MANY = """
from impbench_plugins.shared.compiled import njit

@njit()
def inner(x):
    return x + 1

@njit()
def outer(x):
    return 2 * inner(x)

print(outer(1.5), sum(f.stats.cache_misses.total() for f in (inner, outer)))
"""


def test_of_processes_that_need_the_same_one_compiles_and_the_others_find_it(tmp_path):
    """Each waits where another is; of one that has ended, none waits."""
    (tmp_path / "many.py").write_text(MANY)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kept"), "PYTHONPATH": "."}
    processes = [
        subprocess.Popen(
            [sys.executable, "-B", "many.py"],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    printed = [process.communicate()[0].split() for process in processes]
    assert [value for value, _ in printed] == ["5.0"] * 3
    assert sorted(int(missed) for _, missed in printed) == [0, 0, 2]


def test_what_only_compiled_functions_call_cannot_be_called_from_python():
    @njit_unkept(nogil=True)
    def double(x):
        return 2 * x

    calls = njit_unkept(nogil=True)(lambda x: double(x) + 1)
    entry = numba.njit(lambda x: calls(x))
    with pytest.raises(TypeError, match="double can be called from compiled functions alone"):
        double(1.5)
    assert entry(1.5) == 4
    with pytest.raises(TypeError, match="compiled functions alone"):
        double(1.5)


class Pair(NamedTuple):
    rows: np.ndarray
    weights: np.ndarray


def counted_references(decorator):
    """Return how often a compiled loop over rows counts references to arrays."""

    @decorator(fastmath=True)
    def weighted(pair, i):
        row, total = pair.rows[i], 0.0
        for k in range(row.size):
            if row[k] > 0:
                total += row[k] * pair.weights[k]
        return total

    @decorator(fastmath=True)
    def summed(pair):
        total = 0.0
        for i in range(pair.rows.shape[0]):
            total += weighted(pair, i) + weighted(pair, i // 2)
        return total

    numba.njit(lambda pair: summed(pair))(Pair(np.ones((3, 2)), np.ones(2)))
    (code,) = summed.inspect_llvm().values()
    return len(re.findall(r"call [^\n]*NRT_(?:inc|dec)ref", code))


def test_numba_leaves_out_as_many_counts_of_references_as_in_functions_of_others():
    """It knows them by name; with all of them MaskClass took a third longer."""
    assert counted_references(njit_unkept) <= counted_references(numba.njit) < 6


CARRIED = """
import pickle, sys
function = pickle.load(sys.stdin.buffer)
try:
    function(1.5)
except TypeError as error:
    print(error)
"""


def test_nor_where_another_process_was_sent_it():
    double = njit_unkept(nogil=True)(lambda x: 2 * x)
    assert numba.njit(lambda x: double(x))(1.5) == 3
    command = [sys.executable, "-c", CARRIED]
    done = subprocess.run(command, input=pickle.dumps(double), capture_output=True, check=True)
    assert b"can be called from compiled functions alone" in done.stdout


SHARED = """
import numba
import numpy as np
from impbench_plugins.shared.compiled import njit, njit_unkept

@njit_unkept()
def helper(x, unused, power):
    total = 0.0
    for sign in (-1.0, 1.0):
        for value in x:
            if value > power:
                total += np.sin(value) * power
            elif value < -power:
                total -= np.exp(-sign * value) / power
            else:
                total += np.sqrt(abs(value)) ** power
    return total

@njit()
def kept(x):
    return helper(x, 1, 3.0) + helper(x[1:], 1, 3.0)

@numba.njit
def of_others(x, power):
    return helper(x, 1, power)

x = np.linspace(-9, 9, 50)
kept(x)
for power in (3.0, 5.0):
    np.testing.assert_allclose(of_others(x, power), helper.py_func(x, 1, power))
print("equal")
"""


def test_a_function_of_others_never_calls_what_was_specialised_for_ours(tmp_path):
    """A process of its own, since it ended where the wrong one was called."""
    (tmp_path / "shared.py").write_text(SHARED)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kept")}
    command = [sys.executable, "-B", "shared.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("equal\n", 0), done.stderr
