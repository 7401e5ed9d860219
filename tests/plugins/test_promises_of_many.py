"""What many of our methods promise beyond what the conformance suite asks of every imputer."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import impbench
from impbench import Context, Observed

PLUGINS = Path(__file__).parents[2] / "plugins"
SAME_WITH_ANY_THREADS = [
    "alra[k=3]", "autoclass[epochs=2]", "autoimpute[hidden=24,steps=30]", "baynorm",
    "ccimpute[n_starts=50]", "ccimpute-bioc[n_starts=20]",
    "cnnimpute[n_clusters=1,epochs=2,block_size=20]", "dca[epochs=3]",
    "deepimpute[epochs=3,block_size=8]",
    "drimpute[ks=[3,4],n_starts=20]", "knn-smoothing[k=10]", "maskclass-balanced[epochs=2]",
    "saver", "scgnn[epochs=2,em_epochs=2,em_iterations=2,cluster_epochs=1]", "scimpute",
    "scmae[epochs=2]", "sdimpute[ks=[3,4]]",
    "zipo[encoder=[64,32,16],epochs=2]",
]  # fmt: skip
OWN_SIZE_FACTORS = [
    spec
    for spec in SAME_WITH_ANY_THREADS
    if spec.partition("[")[0]
    in {"alra", "baynorm", "cnnimpute", "dca", "deepimpute", "saver", "scgnn", "sdimpute", "zipo"}
]
LEAVE_OUT_EMPTY_CELLS = [
    spec
    for spec in SAME_WITH_ANY_THREADS
    if spec.partition("[")[0]
    in {
        "autoimpute",
        "ccimpute",
        "ccimpute-bioc",
        "cnnimpute",
        "dca",
        "drimpute",
        "saver",
        "scgnn",
        "scimpute",
        "sdimpute",
    }
]


@pytest.fixture(scope="module")
def grouped():
    """Three clear groups, 90 cells; a third of the entries zeroed."""
    rng = np.random.default_rng(5)
    means = rng.gamma(2.0, 4.0, (3, 60))
    counts = rng.poisson(means[np.repeat(np.arange(3), 30)])
    counts[rng.random(counts.shape) < 0.33] = 0
    return Observed.from_counts(counts, n_groups=3)


@pytest.mark.parametrize("spec", SAME_WITH_ANY_THREADS)
def test_threads_change_no_digit(grouped, spec):
    imputer = impbench.get_imputer(spec)
    with threadpool_limits(1):
        one = imputer.impute(grouped, Context(seed=1, threads=1))
    with threadpool_limits(3):
        three = imputer.impute(grouped, Context(seed=1, threads=3))
    np.testing.assert_array_equal(one.expression, three.expression)
    assert one.info == three.info


@pytest.mark.slow
@pytest.mark.parametrize("spec", OWN_SIZE_FACTORS)
def test_given_size_factors_do_not_change_the_counts(grouped, spec):
    other = Observed.from_counts(grouped.counts, size_factors=np.linspace(0.5, 2, 90), n_groups=3)
    imputer = impbench.get_imputer(spec)
    first, second = (imputer.impute(observed, Context()) for observed in (grouped, other))
    assert first.scale == "counts"
    np.testing.assert_array_equal(first.expression, second.expression)


@pytest.mark.parametrize("spec", LEAVE_OUT_EMPTY_CELLS)
def test_empty_cells_come_back_as_zeros_and_change_nothing_else(grouped, spec):
    where = [0, 40]
    counts = np.insert(grouped.counts, where, 0, axis=0)
    padded = Observed.from_counts(counts, np.insert(grouped.size_factors, where, 1.0), n_groups=3)
    imputer = impbench.get_imputer(spec)
    imputed = imputer.impute(padded, Context())
    imputed.check(padded)
    assert not imputed.expression[[0, 41]].any()
    rest = np.delete(imputed.expression, [0, 41], axis=0)
    np.testing.assert_array_equal(rest, imputer.impute(grouped, Context()).expression)


@pytest.mark.parametrize("spec", ["autoimpute[hidden=24,steps=30]", "dca[epochs=3]", "saver"])
def test_empty_genes_come_back_as_zeros_and_change_nothing_else(grouped, spec):
    padded = Observed.from_counts(np.insert(grouped.counts, 4, 0, axis=1))
    imputer = impbench.get_imputer(spec)
    imputed = imputer.impute(padded, Context()).expression
    assert not imputed[:, 4].any()
    rest = np.delete(imputed, 4, axis=1)
    np.testing.assert_array_equal(rest, imputer.impute(grouped, Context()).expression)


@pytest.mark.slow
def test_prepare_compiles_and_imports_all_that_imputing_needs(grouped, tmp_path):
    """While a method imputes, its time is measured, and each fork would do it again."""
    counts = tmp_path / "counts.npy"
    np.save(counts, grouped.counts)
    code = f"""
import gc, os, sys
import numpy as np
from numba.core.dispatcher import Dispatcher
import impbench
from impbench import Context, Observed

def compiled():
    ours = (d for d in gc.get_objects() if isinstance(d, Dispatcher))
    return {{(d.py_func.__module__, d.py_func.__name__, str(s)) for d in ours for s in d.signatures
            if d.py_func.__module__.startswith("impbench_plugins")}}

def imported():
    return {{(name, "imported") for name in sys.modules if name.startswith("impbench")}}

for spec in {SAME_WITH_ANY_THREADS!r}:
    if os.fork() == 0:
        observed = Observed.from_counts(np.load({str(counts)!r}), n_groups=3)
        imputer = impbench.get_imputer(spec)
        imputer.prepare(Context())
        before = compiled() | imported()
        imputer.impute(observed, Context(seed=1))
        for late in sorted((compiled() | imported()) - before):
            print(spec, *late, flush=True)
        os._exit(0)
    assert os.wait()[1] == 0, spec
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""


def test_listing_imputers_imports_no_heavy_library():
    methods = sorted(path.parent.name for path in PLUGINS.glob("*/__init__.py"))
    heavy = {
        "lightning", "magic", "numba", "pandas", "rpy2", "scanpy", "scipy.linalg", "scipy.stats",
        "scvi", "sklearn", "torch",
    }  # fmt: skip
    assert "maskclass" in methods
    code = (
        f"import sys\nfor name in {methods!r}: __import__('impbench_plugins.' + name)\n"
        f"print({heavy!r} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
