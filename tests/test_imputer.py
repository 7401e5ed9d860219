import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from impbench.context import Context
from impbench.errors import Cancelled, InputError
from impbench.imputer import Imputed, Imputer, Observed

COUNTS = np.array([[1, 3, 0], [0, 8, 0], [2, 14, 0]])


@pytest.fixture
def observed():
    return Observed.from_counts(COUNTS)


@given(arrays(np.int64, (4, 3), elements=st.integers(0, 99)))
def test_every_way_to_give_counts_shows_the_same(counts):
    dense = Observed.from_counts(counts)
    forms = [counts.tolist(), counts.astype(np.float32)]
    forms += [form(counts) for form in (sp.csr_matrix, sp.csc_matrix, sp.coo_matrix, sp.csr_array)]
    for form in forms:
        other = Observed.from_counts(form)
        np.testing.assert_array_equal(other.dense_counts, counts)
        np.testing.assert_array_equal(other.lognorm, dense.lognorm)
        np.testing.assert_array_equal(other.size_factors, dense.size_factors)
        assert sp.issparse(other.counts) == sp.issparse(form)


def test_what_is_not_given_is_filled_in(observed):
    assert (observed.n_cells, observed.n_genes) == (3, 3)
    assert observed.gene_names == ("gene_1", "gene_2", "gene_3")
    assert observed.cell_names == ("cell_1", "cell_2", "cell_3")
    np.testing.assert_array_equal(observed.size_factors, [0.5, 1, 2])
    assert observed.batch is None
    assert observed.n_groups is None
    assert observed.lognorm.dtype == np.float32
    np.testing.assert_allclose(observed.lognorm[0], np.log2([3, 7, 1]), rtol=1e-6)


def test_what_is_given_is_kept():
    observed = Observed.from_counts(
        COUNTS,
        size_factors=[1, 2, 3],
        gene_names=["a", "b", "c"],
        cell_names=range(3),
        batch=["p", "p", "q"],
        n_groups=2,
    )
    np.testing.assert_array_equal(observed.size_factors, [1.0, 2.0, 3.0])
    assert observed.gene_names == ("a", "b", "c")
    assert observed.cell_names == ("0", "1", "2")
    assert list(observed.batch) == ["p", "p", "q"]
    assert observed.n_groups == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"counts": [1, 2, 3]}, r"cells × genes; got 1 dimension"),
        ({"counts": [["a"]]}, "counts must be numbers, got dtype"),
        ({"counts": [[1, -2]]}, "negative values; impbench needs raw counts"),
        ({"counts": sp.csr_matrix([[1, -2]])}, "negative values"),
        ({"counts": [[1, np.nan]]}, "NaN or infinite"),
        ({"counts": [[1, np.inf]]}, "NaN or infinite"),
        ({"counts": [[1j]]}, "counts must be numbers, got dtype complex128"),
        ({"size_factors": [1, 2]}, "size_factors must be 3 positive finite numbers"),
        ({"size_factors": [1, 2, 0]}, "size_factors must be 3 positive finite numbers"),
        ({"size_factors": [1, 2, -1]}, "size_factors must be 3 positive finite numbers"),
        ({"size_factors": [1, 2, np.nan]}, "size_factors must be 3 positive finite numbers"),
        ({"gene_names": ["a", "b"]}, "2 gene names for 3 genes"),
        ({"gene_names": ["a", "b", "a"]}, "gene name 'a' stands more than once"),
        ({"cell_names": ["x"] * 3}, "cell name 'x' stands more than once"),
        ({"batch": ["p"]}, r"batch has shape \(1,\), expected \(3,\)"),
    ],
)
def test_bad_input_is_refused_with_what_was_expected(arguments, message):
    with pytest.raises(InputError, match=message):
        Observed.from_counts(**{"counts": COUNTS, **arguments})


def test_a_repeated_name_among_many_is_found_at_once():
    names = [f"cell {i}" for i in range(60_000)]
    names[-1] = names[-2]
    with pytest.raises(InputError, match="'cell 59998' stands more than once"):
        Observed.from_counts(np.zeros((60_000, 1)), cell_names=names)


def test_empty_cells_and_silent_genes_are_allowed():
    observed = Observed.from_counts(np.zeros((2, 3), dtype=int))
    np.testing.assert_array_equal(observed.lognorm, np.zeros((2, 3)))


def test_counts_and_log_values_turn_into_each_other(observed):
    from_counts = Imputed(COUNTS.astype(np.float64), "counts")
    np.testing.assert_array_equal(from_counts.lognorm(observed), observed.lognorm)
    from_log = Imputed(observed.lognorm, "lognorm")
    np.testing.assert_allclose(from_log.counts(observed), COUNTS, rtol=1e-5, atol=1e-6)
    assert from_log.lognorm(observed) is observed.lognorm


def test_negative_values_are_clipped_on_the_count_scale_and_kept_on_the_log_scale(observed):
    expression = np.full((3, 3), -1.0)
    assert (Imputed(expression, "counts").lognorm(observed) == 0).all()
    assert (Imputed(expression, "counts").counts(observed) == 0).all()
    assert (Imputed(expression, "lognorm").counts(observed) == 0).all()
    assert (Imputed(expression, "lognorm").lognorm(observed) == -1).all()


def _with_nan(shape=(3, 3)):
    values = np.ones(shape)
    values[1, 2] = np.nan
    return values


@pytest.mark.parametrize(
    ("imputed", "message"),
    [
        (Imputed(np.ones((3, 3)), "log"), "scale 'log' is neither 'counts' nor 'lognorm'"),
        (Imputed([[1, 2]], "counts"), "expression must be a dense numeric array, got list"),
        (Imputed(sp.eye(3).tocsr(), "counts"), "dense numeric array, got csr_matrix"),
        (Imputed(np.full((3, 3), "1"), "counts"), "dense numeric array, got <U1 array"),
        (Imputed(np.ones((3, 3), dtype=object), "counts"), "got object array"),
        (Imputed(np.ones((3, 2)), "counts"), r"shape \(3, 2\), expected \(3, 3\)"),
        (Imputed(np.ones(3), "counts"), r"shape \(3,\), expected \(3, 3\)"),
        (
            Imputed(_with_nan(), "counts"),
            r"1 values that are NaN or infinite, first at cell 1 \(cell_2\), gene 2 \(gene_3\)",
        ),
        (Imputed(-np.inf * np.ones((3, 3)), "lognorm"), "holds 9 values that are NaN or infinite"),
        (Imputed(np.ones((3, 3)), "counts", std=_with_nan()), "std holds 1 values"),
        (Imputed(np.ones((3, 3)), "counts", std=np.ones((3, 4))), "std has shape"),
        (Imputed(np.ones((3, 3)), "counts", std=-np.ones((3, 3))), "std holds negative values"),
        (Imputed(np.ones((3, 3)), "counts", embedding=np.ones(3)), r"embedding must .*\(3, dim"),
        (Imputed(np.ones((3, 3)), "counts", embedding=np.ones((2, 5))), "embedding must"),
        (Imputed(np.ones((3, 3)), "counts", embedding=np.full((3, 1), "x")), "embedding must"),
        (Imputed(np.ones((3, 3)), "counts", embedding=_with_nan()), "embedding holds values that"),
    ],
)
def test_check_refuses_what_the_contract_does_not_promise(observed, imputed, message):
    with pytest.raises(InputError, match=message):
        imputed.check(observed)


def test_check_passes_what_the_contract_promises(observed):
    for dtype in (np.float32, np.float64, np.int64):
        Imputed(np.ones((3, 3), dtype=dtype), "counts").check(observed)
    full = Imputed(np.ones((3, 3)), "lognorm", np.zeros((3, 3)), np.ones((3, 7)), {"k": 2})
    full.check(observed)


def test_progress_reaches_the_listener_who_may_stop_the_method():
    seen = []
    Context(on_progress=lambda done, total: seen.append((done, total))).progress(2, 5)
    assert seen == [(2, 5)]
    Context().progress(2, 5)

    def stop(done, total):
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        Context(on_progress=stop).progress(1, 5)


def test_impute_many_is_one_imputation_per_seed_unless_a_method_knows_better(observed):
    @dataclass(frozen=True)
    class Noisy(Imputer):
        name = "noisy"
        summary = "Noise of its seed"

        def impute(self, observed, context):
            rng = np.random.default_rng(context.seed)
            return Imputed(rng.random((observed.n_cells, observed.n_genes)), "counts")

    contexts = [Context(seed=seed) for seed in (3, 4)]
    many = Noisy().impute_many(observed, contexts)
    for context, imputed in zip(contexts, many, strict=True):
        alone = Noisy().impute(observed, context)
        np.testing.assert_array_equal(imputed.expression, alone.expression)


def test_the_contract_imports_where_there_is_nothing_but_numpy_and_scipy():
    code = """
import sys
class Bare:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"pandas", "sklearn", "anndata", "torch", "pluggy", "matplotlib"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Bare())
from impbench import Context, Imputed, Imputer, Observed, parameter
print(Observed.from_counts([[1, 2]]).lognorm.shape)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(1, 2)"
