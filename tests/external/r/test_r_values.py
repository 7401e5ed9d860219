"""Values reach R and come back as what they were."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from impbench.errors import InputError
from impbench.external.r import RMatrix, RPackage, RSession

pytestmark = pytest.mark.r

SAME = "function(x) x"


@pytest.fixture(scope="module")
def r(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RSession]:
    with RSession(tmp_path_factory.mktemp("r"), RPackage("Matrix")) as session:
        yield session


def there_and_back(r: RSession, value: Any) -> Any:
    return r.call(SAME, {"x": value})


def r_class(r: RSession, value: Any) -> list[str]:
    return list(r.call("class", {"x": value}))


@settings(max_examples=60, deadline=None)
@given(values=arrays(np.float64, st.tuples(st.integers(0, 4), st.integers(0, 4))))
def test_doubles_come_back_bit_by_bit(r: RSession, values: np.ndarray) -> None:
    matrix = there_and_back(r, values)
    assert matrix.values.shape == values.shape
    np.testing.assert_array_equal(matrix.values, values)
    assert (np.signbit(matrix.values) == np.signbit(values)).all()


# NUL and lone surrogates are the only characters that R's strings lack.
NAME = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@settings(max_examples=60, deadline=None)
@given(names=st.lists(NAME, min_size=1, max_size=4))
def test_any_name_comes_back(r: RSession, names: list[str]) -> None:
    matrix = RMatrix(np.zeros((len(names), 2)), names, ["NA", "HLA-DRα \"1'\n"])
    back = there_and_back(r, matrix)
    assert list(back.rows) == names
    assert list(back.columns) == ["NA", "HLA-DRα \"1'\n"]
    assert list(r.call("rownames", {"x": matrix})) == names


def test_names_arrive_in_r_as_characters_not_bytes(r: RSession) -> None:
    assert r.call("function(x) nchar(x)", {"x": ["håll", "日本", ""]}).tolist() == [4, 2, 0]


@pytest.mark.parametrize("kind", ["csr_matrix", "csc_array", "coo_matrix"])
def test_sparse_matrix_becomes_dgcmatrix_and_comes_back(r: RSession, kind: str) -> None:
    dense = np.random.default_rng(0).poisson(0.3, (30, 20))
    matrix = RMatrix(getattr(sp, kind)(dense), [f"g{i}" for i in range(30)])
    assert r_class(r, matrix) == ["dgCMatrix"]
    back = there_and_back(r, matrix)
    assert sp.issparse(back.values)
    np.testing.assert_array_equal(back.values.toarray(), dense)
    assert (back.rows, back.columns) == (tuple(matrix.rows or ()), None)
    sums = r.call("function(x) Matrix::rowSums(x)", {"x": matrix})
    np.testing.assert_array_equal(sums, dense.sum(axis=1))


def test_unsorted_repeated_entries_are_added_up_and_left_alone(r: RSession) -> None:
    data, rows, columns = np.array([1.0, 2.0, 4.0]), np.array([2, 0, 2]), np.array([0, 0, 0])
    matrix = sp.csc_matrix(sp.coo_matrix((data, (rows, columns)), shape=(3, 1)))
    stored = matrix.data.copy()
    assert there_and_back(r, matrix).values.toarray().ravel().tolist() == [2, 0, 5]
    np.testing.assert_array_equal(matrix.data, stored)


@pytest.mark.parametrize(
    "code",
    [
        "function() as(as(Matrix::Matrix(c(0, 1, 0, 2), 2), 'generalMatrix'), 'TsparseMatrix')",
        "function() as(as(Matrix::Matrix(c(0, 1, 0, 2), 2), 'generalMatrix'), 'RsparseMatrix')",
        "function() Matrix::Matrix(c(0, 1, 0, 2), 2, sparse = FALSE)",
    ],
)
def test_other_matrices_of_package_matrix_come_back(r: RSession, code: str) -> None:
    values = r.call(code, {}).values
    dense = values.toarray() if sp.issparse(values) else values
    np.testing.assert_array_equal(dense, [[0, 0], [1, 2]])


def test_symmetric_logical_and_diagonal_matrices_come_back_whole(r: RSession) -> None:
    symmetric = r.call("function() Matrix::Matrix(c(1, 5, 5, 0), 2, sparse = TRUE)", {})
    np.testing.assert_array_equal(symmetric.values.toarray(), [[1, 5], [5, 0]])
    diagonal = r.call("function() Matrix::Diagonal(2)", {})
    np.testing.assert_array_equal(diagonal.values.toarray(), np.eye(2))
    logical = r.call("function() Matrix::Matrix(c(TRUE, FALSE, TRUE, FALSE), 2) > 0", {})
    values = logical.values
    dense = values.toarray() if sp.issparse(values) else values
    np.testing.assert_array_equal(dense, [[1, 1], [0, 0]])


def test_integers_beyond_32_bits_become_exact_doubles(r: RSession) -> None:
    big = np.array([2**31, -(2**31), 2**53, 7])
    assert r_class(r, big) == ["numeric"]
    assert there_and_back(r, big).astype(np.int64).tolist() == big.tolist()
    assert r_class(r, np.array([2**31 - 1, -(2**31) + 1])) == ["integer"]
    # R's NA is the smallest 32-bit integer: it must not appear by accident.
    assert not r.call("anyNA", {"x": np.array([-(2**31)])})[0]


@pytest.mark.parametrize("value", [2**53 + 1, -(2**53) - 1, np.array([2**64 - 1], np.uint64)])
def test_integer_that_no_double_holds_is_refused(r: RSession, value: Any) -> None:
    with pytest.raises(InputError, match=r"argument 'x' holds -?\d+; R's numbers are exact up to"):
        there_and_back(r, value)


def test_integer_valued_floats_stay_doubles(r: RSession) -> None:
    assert r_class(r, np.array([1.0, 2.0])) == ["numeric"]
    assert r_class(r, np.array([1.0, 2.0], np.float32)) == ["numeric"]
    assert r_class(r, np.array([1, 2], np.uint8)) == ["integer"]
    assert r_class(r, np.ones((2, 2), np.int16)) == ["matrix", "array"]
    assert r.call("typeof", {"x": np.ones((2, 2), np.int16)}) == ["integer"]


def test_64_bit_integers_of_bit64_come_back(r: RSession) -> None:
    if RPackage("bit64").lack():
        pytest.skip("R has no package bit64")
    assert r.call("function() bit64::as.integer64(2)^62", {}).tolist() == [2**62]


def test_nan_is_not_na_and_masked_entries_are(r: RSession) -> None:
    is_na = "function(x) is.na(x) & !is.nan(x)"
    assert r.call(is_na, {"x": np.array([1.0, np.nan])}).tolist() == [False, False]
    for values in ([1.0, 2.0], [1, 2], [True, False]):
        masked = np.ma.array(values, mask=[False, True])
        assert r.call(is_na, {"x": masked}).tolist() == [False, True]
    assert r.call(is_na, {"x": ["a", None]}).tolist() == [False, True]


def test_na_comes_back_as_nan_or_none(r: RSession) -> None:
    for code in ("c(1, NA)", "c(1L, NA)", "c(TRUE, NA)"):
        back = r.call(f"function() {code}", {})
        assert back.dtype == np.float64
        np.testing.assert_array_equal(back, [1, np.nan])
    assert r.call("function() c('a', NA, 'NA')", {}).tolist() == ["a", None, "NA"]
    assert r.call("function() factor(c('b', NA, 'a'))", {}).tolist() == ["b", None, "a"]


def test_vectors_lists_and_tables_come_back(r: RSession) -> None:
    back = there_and_back(
        r, {"n": 3, "x": [0.5, 1.5], "flag": True, "none": None, "deep": {"a": 1}}
    )
    assert list(back) == ["n", "x", "flag", "none", "deep"]
    assert [back[name].tolist() for name in ("n", "x", "flag")] == [[3], [0.5, 1.5], [True]]
    assert back["none"] is None
    assert back["deep"]["a"].tolist() == [1]
    assert back["flag"].dtype == np.bool_
    table = r.call("function() data.frame(a = 1:2, b = c('x', 'y'))", {})
    assert {name: column.tolist() for name, column in table.items()} == {
        "a": [1, 2],
        "b": ["x", "y"],
    }
    assert r.call("function() list(1, 'a')", {})[1].tolist() == ["a"]
    assert r.call("function(path) path", {"path": Path("/a b")}).tolist() == ["/a b"]


def test_glmnet_fits_a_sparse_matrix_and_its_coefficients_come_back(r: RSession) -> None:
    if lack := RPackage("glmnet").lack():
        pytest.skip(lack)
    random = np.random.default_rng(1)
    x = sp.random(80, 6, 0.5, "csr", random_state=1, dtype=float)
    y = random.poisson(np.exp(1.5 * x.toarray()[:, 2]))
    path = r.call(
        "function(x, y) { fit <- glmnet::glmnet(x, y, family = 'poisson');"
        " list(lambda = fit$lambda, beta = fit$beta) }",
        {"x": RMatrix(x, None, [f"gene {i}" for i in range(6)]), "y": y},
    )
    assert path["beta"].rows == tuple(f"gene {i}" for i in range(6))
    assert path["beta"].values.shape == (6, len(path["lambda"]))
    assert np.abs(path["beta"].values.toarray()[:, -1]).argmax() == 2


@pytest.mark.slow
def test_scran_ranks_genes_by_the_names_they_were_given(r: RSession) -> None:
    if lack := RPackage("scran").lack():
        pytest.skip(lack)
    logs = np.log2(1 + np.random.default_rng(2).poisson(np.linspace(1, 9, 60)[:, None], (60, 40)))
    genes = [f"HLA-{i} β" for i in range(60)]
    found = r.call(
        "function(logs) { stats <- scran::modelGeneVar(logs);"
        " list(top = scran::getTopHVGs(stats, n = 5), bio = stats$bio) }",
        {"logs": RMatrix(logs, genes)},
    )
    best = np.argsort(-found["bio"])[: len(found["top"])]
    assert found["top"].tolist() == [genes[i] for i in best]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (np.array([1j]), "argument 'x' holds complex128 values"),
        (np.zeros((2, 2, 2)), "argument 'x' has 3 dimensions"),
        (object(), "argument 'x' holds object values"),
        ("a\0b", "takes neither NUL"),
        ("\ud800", "nor half characters"),
        ([1, "a"], "mixes text with other values"),
        ({"deep": 2**70}, "argument 'x' 'deep' holds object values"),
    ],
)
def test_value_without_a_counterpart_in_r_is_refused(r: RSession, value: Any, why: str) -> None:
    with pytest.raises(InputError, match=why):
        there_and_back(r, value)


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("new.env()", "the result is an R object of type ENVSXP"),
        ("list(a = 1, b = function(x) x)", r"the result\$b is an R object of type CLOSXP"),
        ("methods::getClass('numeric')", "of class classRepresentation"),
        ("list(a = 1, a = 2)", "a list that holds a name twice: a, a"),
    ],
)
def test_result_without_a_counterpart_in_python_is_refused(
    r: RSession, code: str, why: str
) -> None:
    with pytest.raises(InputError, match=why):
        r.call(f"function() {code}", {})


def test_names_must_fit_the_matrix() -> None:
    with pytest.raises(InputError, match="2 row names for 3 rows"):
        RMatrix(np.zeros((3, 2)), ["a", "b"])
