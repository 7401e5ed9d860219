import os
import subprocess
import sys
import warnings
from pathlib import Path

import anndata
import numpy as np
import pytest
from impbench_plugins.magic import Magic

from impbench.context import Context
from impbench.data.dataset import Dataset
from impbench.errors import InputError
from impbench.imputer import Observed
from impbench.metrics.error import biozero_mse, dropout_mse, mse
from impbench.protocols.simulated_truth import SimulatedTruth
from impbench.scale import library_sizes

pytestmark = pytest.mark.slow

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module", params=["small_rare", "small_batch"])
def small(request):
    cells = anndata.read_h5ad(DATA / "inputs" / f"{request.param}.h5ad")
    return request.param, Observed.from_counts(cells.X)


@pytest.fixture
def tiny():
    return Observed.from_counts(np.random.default_rng(0).poisson(2, (40, 25)))


@pytest.mark.parametrize("solver", ["exact", "approximate"])
@pytest.mark.parametrize("t", [3, "auto"])
def test_magic_equals_the_original_to_1e_4(small, solver, t):
    name, observed = small
    # Every third gene is stored; the diffusion operator is the same for all of them.
    expected = np.load(DATA / "magic" / "imputed.npz")[f"{solver}-t{t}_{name}"]
    imputed = Magic(solver=solver, t=t).impute(observed, Context(seed=1))
    imputed.check(observed)
    got = imputed.expression[:, ::3]
    assert np.linalg.norm(got - expected) <= 1e-4 * np.linalg.norm(expected)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "solver", "t", "expected"),
    [
        ("small_rare", "exact", 3, (4.222286, 5.331293, 0.088939)),
        ("small_rare", "approximate", "auto", (4.105523, 4.777208, 0.088227)),
        ("small_batch", "exact", "auto", (3.490078, 3.958270, 0.058666)),
        ("small_batch", "approximate", 3, (3.573893, 4.389264, 0.054923)),
    ],
)
def test_error_under_the_own_library_convention_is_that_of_the_original(name, solver, t, expected):
    """Scores of magic-impute's output computed apart from impbench: all, dropouts, biozeros."""
    cells = anndata.read_h5ad(DATA / "inputs" / f"{name}.h5ad")
    dataset = Dataset(
        name=name,
        counts=cells.X,
        gene_names=tuple(cells.var_names),
        cell_names=tuple(cells.obs_names),
        library_size=library_sizes(cells.X),
        true_counts=cells.layers["true_counts"],
    )
    problem = SimulatedTruth(library="own").pose(dataset, seed=1)
    imputed = Magic(solver=solver, t=t).impute(problem.observed, Context(seed=1))
    x, truth = imputed.expression, problem.hidden.truth().expression
    scores = mse(x, truth), dropout_mse(x, truth, problem.observed.lognorm), biozero_mse(x, truth)
    assert scores == pytest.approx(expected, abs=2e-6)


def test_auto_t_follows_the_seed_although_magic_draws_genes_from_the_global_generator():
    observed = Observed.from_counts(np.random.default_rng(1).poisson(1, (60, 600)))
    # Without components nothing else is random.
    auto = Magic(t="auto", n_pca=1000)
    np.random.seed(1)  # noqa: NPY002
    first = auto.impute(observed, Context(seed=9)).expression
    after = np.random.random()  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002
    assert after == np.random.random(), "the global generator is left as it was"  # noqa: NPY002
    np.random.seed(2)  # noqa: NPY002
    np.testing.assert_array_equal(first, auto.impute(observed, Context(seed=9)).expression)


def test_one_diffusion_step_smooths_by_a_row_stochastic_matrix(tiny):
    imputed = Magic(t=1).impute(tiny, Context()).expression
    assert (imputed.max(axis=0) <= tiny.lognorm.max(axis=0) + 1e-5).all()
    assert (imputed.min(axis=0) >= tiny.lognorm.min(axis=0) - 1e-5).all()
    assert imputed.var() < tiny.lognorm.var()


def test_every_parameter_changes_the_result(small):
    _, observed = small
    default = Magic().impute(observed, Context()).expression
    variants = [
        Magic(knn=8),
        Magic(decay=5),
        Magic(t=2),
        Magic(n_pca=10),
        Magic(solver="approximate"),
        Magic(knn_max=7),
        Magic(distance="cosine"),
    ]
    for variant in variants:
        changed = variant.impute(observed, Context()).expression
        assert not np.allclose(default, changed, atol=1e-4), variant.spec


@pytest.mark.parametrize("shape", [(7, 30), (12, 4), (30, 1), (60, 101), (101, 60)])
@pytest.mark.parametrize("solver", ["exact", "approximate"])
def test_fewer_cells_or_genes_than_components_or_neighbours_still_works(shape, solver):
    observed = Observed.from_counts(1 + np.random.default_rng(2).poisson(3, shape))
    imputed = Magic(solver=solver).impute(observed, Context())
    imputed.check(observed)
    assert imputed.info["n_pca"] is None


def test_too_few_cells_for_the_neighbours_is_an_error_that_says_what_to_do():
    observed = Observed.from_counts(np.ones((6, 4)))
    with pytest.raises(InputError, match=r"needs at least knn \+ 2 = 7 cells, got 6; lower knn"):
        Magic().impute(observed, Context())
    Magic(knn=4).impute(observed, Context()).check(observed)


def test_silent_genes_stay_silent_and_constant_log_values_stay_constant():
    counts = np.random.default_rng(3).poisson(2, (30, 6))
    counts[:, 0] = 0
    counts[:, 1] = 5
    observed = Observed.from_counts(counts, size_factors=np.ones(30))
    imputed = Magic().impute(observed, Context()).expression
    np.testing.assert_allclose(imputed[:, 0], 0, atol=1e-6)
    np.testing.assert_allclose(imputed[:, 1], np.log2(6), rtol=1e-5)


def test_nothing_is_printed_and_warnings_end_in_the_record(tiny, capfd):
    counts = tiny.dense_counts.copy()
    counts[3] = counts[5]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clean = Magic().impute(tiny, Context())
        twins = Magic().impute(Observed.from_counts(counts), Context())
    assert capfd.readouterr() == ("", "")
    assert "warnings" not in clean.info
    assert any("zero distance" in text for text in twins.info["warnings"])


def test_knn_max_below_knn_is_refused():
    with pytest.raises(InputError, match="knn_max=3 must be at least knn=5"):
        Magic(knn_max=3)


@pytest.mark.parametrize(
    ("parameters", "n_twins"), [({}, 0), ({}, 30), ({"knn": 3, "knn_max": 40}, 0)]
)
def test_many_cells_come_out_as_with_the_search_of_graphtools(monkeypatch, parameters, n_twins):
    """Also where a second search is for more, and where cells coincide."""
    rng = np.random.default_rng(4)
    levels = rng.gamma(2.0, 1.0, (6, 150))[rng.integers(0, 6, 1300)]
    counts = rng.poisson(levels * rng.gamma(5.0, 0.5, (1300, 1)))
    counts[100 : 100 + n_twins] = counts[100]
    observed = Observed.from_counts(counts)
    ours = Magic(**parameters).impute(observed, Context(seed=1))
    monkeypatch.setattr("impbench_plugins.magic.neighbours.FEWEST_CELLS", 10**9)
    theirs = Magic(**parameters).impute(observed, Context(seed=1))
    np.testing.assert_allclose(ours.expression, theirs.expression, rtol=1e-4, atol=1e-5)
    if n_twins:  # With rounding, graphtools does not see them all.
        assert any("zero distance" in text for text in ours.info["warnings"])


MEASURED = """
import hashlib
import numpy as np
from graphtools import graphs
from impbench import Context, Observed
from impbench_plugins.magic import Magic

counts = np.random.default_rng(0).poisson(2.0, (200, 30))
values = Magic().impute(Observed.from_counts(counts), Context(seed=1)).expression
kept = sum(
    function.stats.cache_hits.total()
    for function in vars(graphs).values()
    if hasattr(function, "stats")
)
print(hashlib.sha256(values.tobytes()).hexdigest(), kept > 0)
"""


def test_what_graphtools_compiles_is_kept_for_the_next_process(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", MEASURED]
    first, second = (
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        for _ in range(2)
    )
    digest, kept = first.stdout.split()
    assert (kept, second.stdout.split()) == ("False", [digest, "True"])
