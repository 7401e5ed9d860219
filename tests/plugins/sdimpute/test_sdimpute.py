"""SDImpute against the original's output, its faults and their repair, and its edges."""

from pathlib import Path

import anndata
import numpy as np
import pytest
from impbench_plugins.sdimpute import SdImpute
from impbench_plugins.sdimpute.clusters import principal_components, silhouette_widths
from impbench_plugins.sdimpute.dropout import dropout_probabilities
from impbench_plugins.sdimpute.fill import bandwidths, fill_cluster
from impbench_plugins.sdimpute.logistic import fit_logistic
from impbench_plugins.sdimpute.method import impute_given
from sklearn.metrics import silhouette_score

from impbench import Context, Observed
from impbench.errors import InputError
from impbench.testing import checks

DATA = Path(__file__).parents[2] / "data"
EVERY = slice(None, None, 6)
"""Of the genes of the original's matrices, those that are stored."""
SEEDS = (1, 2, 3)


@pytest.fixture(scope="module", params=["small_rare", "small_batch"])
def small(request):
    name = request.param
    observed = Observed.from_counts(anndata.read_h5ad(DATA / "inputs" / f"{name}.h5ad").X)
    with np.load(DATA / "sdimpute" / "original.npz") as file:
        arrays = {key.removesuffix(f"_{name}"): file[key] for key in file if key.endswith(name)}
    return observed, arrays


@pytest.fixture(scope="module")
def grouped():
    """Three clear groups of 30 cells, 60 genes; low ones often zeroed."""
    rng = np.random.default_rng(5)
    means = rng.gamma(1.0, 8.0, (3, 60))[np.repeat(np.arange(3), 30)]
    counts = rng.poisson(means)
    counts[rng.random(counts.shape) < np.exp(-0.1 * means)] = 0
    return Observed.from_counts(counts)


def test_imputed_counts_equal_the_originals_given_its_clusters_and_coefficients(small):
    observed, original = small
    counts = observed.dense_counts.astype(np.float64)
    plane = principal_components(counts)[:, :2]
    np.testing.assert_allclose(bandwidths(plane, None), original["widths"], rtol=1e-9)
    for seed in SEEDS:
        labels = original[f"clusters_{seed}"].astype(np.int64) - 1
        coefficients = [tuple(row) for row in original[f"coefficients_{seed}"]]
        filled = impute_given(counts, labels, plane, coefficients=coefficients)
        np.testing.assert_allclose(
            filled.counts[:, EVERY], original[f"estimate_{seed}"], rtol=1e-6, atol=1e-9
        )
        if seed == 1:
            np.testing.assert_allclose(
                filled.probabilities[:, EVERY], original["probabilities"], atol=1e-6
            )


def test_own_regressions_have_the_originals_coefficients_where_classes_part_too(small):
    observed, original = small
    counts = observed.dense_counts.astype(np.float64)
    plane = principal_components(counts)[:, :2]
    for seed in SEEDS:
        labels = original[f"clusters_{seed}"].astype(np.int64) - 1
        found = impute_given(counts, labels, plane).coefficients
        np.testing.assert_allclose(found, original[f"coefficients_{seed}"], rtol=1e-9)


def test_a_seed_gives_what_the_original_gives_after_setting_it(small):
    observed, original = small
    for seed in SEEDS:
        imputed = SdImpute().impute(observed, Context(seed=seed))
        imputed.check(observed)
        assert imputed.info["n_clusters"] == original[f"clusters_{seed}"].max()
        np.testing.assert_allclose(
            imputed.expression[:, EVERY], original[f"estimate_{seed}"], rtol=1e-6, atol=1e-9
        )


X = np.arange(1, 41) ** 2 / 10
NEARLY = X < 20
NEARLY[[2, 24]] ^= True


@pytest.mark.parametrize(
    ("happens", "intercept", "slope"),
    [
        (X < 20, 334.20982556819479, -15.878253647259694),
        (NEARLY, 2.1802923924147617, -0.08907642783142658),
        (np.arange(1, 41) % 3 == 0, -0.77746297866541558, 0.00083624720891617411),
        (X > 1e9, -26.566068523538274, 0.0),
        (X < 1e9, 26.566068790011322, 0.0),
    ],
    ids=["separated", "nearly separated", "mixed", "never", "always"],
)
def test_the_regression_ends_where_glm_of_r_ends(happens, intercept, slope):
    """The numbers were printed by R 4.2.2, with 100 rounds at most."""
    # Of always, R's own rounding is 1e-7; 1e-6 is what is left of a slope of 0.
    rtol = 1e-6 if happens.all() else 1e-9
    np.testing.assert_allclose(fit_logistic(X, happens), (intercept, slope), rtol=rtol, atol=1e-6)


def test_a_variable_that_does_not_vary_has_no_slope_as_in_glm():
    intercept, slope = fit_logistic(np.full(40, 2.5), np.arange(1, 41) % 3 == 0)
    assert intercept == pytest.approx(-0.73088750854245232, rel=1e-12)
    assert np.isnan(slope)
    rng = np.random.default_rng(0)
    inside = rng.poisson(2.0, (6, 5)).astype(np.float64)
    assert not dropout_probabilities(inside, (intercept, slope)).any()


def test_silhouette_widths_are_those_of_scikit_learn():
    rng = np.random.default_rng(1)
    points = rng.normal(size=(40, 5))
    clusterings = [rng.integers(0, k, 40) for k in (2, 5, 9)]
    clusterings.append(np.r_[3, np.arange(39) % 3])  # one cell is alone
    widths = silhouette_widths(points, clusterings)
    expected = [silhouette_score(points, labels) for labels in clusterings]
    np.testing.assert_allclose(widths, expected, rtol=1e-12)


def test_more_cells_than_genes_or_fewer_have_the_distances_of_their_logged_values():
    rng = np.random.default_rng(2)
    for shape in ((30, 12), (12, 30)):
        counts = rng.poisson(3.0, shape) + 1.0
        values = np.log2(1e6 * counts / counts.sum(axis=1, keepdims=True) + 2)
        points = principal_components(counts)
        expected = np.linalg.norm(values[:, None] - values, axis=2)
        np.testing.assert_allclose(
            np.linalg.norm(points[:, None] - points, axis=2), expected, atol=1e-6
        )
        centred = values - values.mean(axis=0)
        singular = np.linalg.svd(centred, compute_uv=False)
        np.testing.assert_allclose(np.linalg.norm(points[:, :2], axis=0), singular[:2], rtol=1e-9)


def test_means_are_weighted_sums_over_the_sources_entry_by_entry():
    rng = np.random.default_rng(3)
    counts = rng.poisson(4.0, (12, 7)).astype(np.float64)
    cells = np.array([1, 4, 5, 8, 11])
    probabilities = rng.random((5, 7))
    probabilities[:, 3] = 0.9
    plane, widths = rng.normal(size=(12, 2)), rng.random(12) + 0.5
    for sources in (cells, np.arange(5)):
        found = fill_cluster(counts, cells, sources, probabilities, 0.5, plane, widths)
        for row, gene in np.ndindex(5, 7):
            expected = counts[cells[row], gene]
            if probabilities[row, gene] > 0.5:
                safe = sources[probabilities[:, gene] <= 0.5]
                apart = np.linalg.norm(plane[cells[row]] - plane[safe], axis=1)
                weights = np.exp(-apart / widths[cells[row]])
                total = weights.sum()
                expected = weights @ counts[safe, gene] / total if total else 0.0
            assert found[row, gene] == pytest.approx(expected, rel=1e-12)


def test_as_published_the_first_cells_of_the_data_fill_every_cluster_and_repaired_its_own(grouped):
    counts = grouped.dense_counts.astype(np.float64)
    labels = np.repeat(np.arange(3), 30)
    plane = principal_components(counts)[:, :2]
    moved = counts.copy()
    moved[:30] *= 3  # the first 30 cells are the first cluster

    def changed(repaired):
        given = (labels, plane, 0.5, 15, repaired)
        before, after = impute_given(counts, *given), impute_given(moved, *given)
        return (before.counts[30:] != after.counts[30:]).any()

    assert changed(repaired=False)
    assert not changed(repaired=True)


def test_as_published_a_steep_regression_finds_no_dropout_and_repaired_it_does():
    inside = np.random.default_rng(4).poisson(0.4, (20, 30)).astype(np.float64)
    published, repaired = (
        dropout_probabilities(inside, (800.0, -30.0), repaired) for repaired in (False, True)
    )
    assert not published[inside == 0].any()
    assert (repaired[inside == 0] > 0).all()
    np.testing.assert_allclose(published[inside > 3], repaired[inside > 3])
    gentle = [dropout_probabilities(inside, (1.0, -0.5), repaired) for repaired in (False, True)]
    np.testing.assert_allclose(*gentle, rtol=1e-12)


def test_nearest_cells_have_no_effect_as_published_and_set_the_weights_when_repaired(grouped):
    def imputed(**given):
        return SdImpute(ks=(3,), **given).impute(grouped, Context()).expression

    np.testing.assert_array_equal(imputed(n_nearest=5), imputed(n_nearest=40))
    repaired = [imputed(n_nearest=n, repaired=True) for n in (5, 40)]
    assert (repaired[0] != repaired[1]).any()
    plane = np.array([[0.0, 0.0], [1.0, 0.0], [3.0, 0.0], [7.0, 0.0]])
    np.testing.assert_allclose(bandwidths(plane, 2), [2.0, 1.5, 2.5, 5.0])
    np.testing.assert_allclose(bandwidths(plane, None), [2.75, 2.25, 2.25, 4.25])


def test_as_published_it_depends_on_the_order_of_cells_and_breaks_no_other_promise():
    SdImpute().prepare(Context())
    broken = [check.name for check in checks() if check.result(SPEC).verdict == "failed"]
    assert broken == ["cell-order"]


SPEC = "sdimpute[ks=[2, 3]]"
"""With more clusters of the example's cells without structure, some hold one cell."""


@pytest.mark.parametrize("changed", [{"n_clusters": 4}, {"ks": (7, 8)}, {"threshold": 0.3}])
def test_every_other_parameter_changes_the_result(grouped, changed):
    default = SdImpute(ks=(3, 4)).impute(grouped, Context()).expression
    other = SdImpute(**{"ks": (3, 4), "repaired": False, **changed})
    assert (other.impute(grouped, Context()).expression != default).any()


@pytest.fixture(scope="module")
def lonely(grouped):
    """The same cells and one unlike all others."""
    counts = np.zeros((91, 260), dtype=np.int64)
    counts[:90, :60] = grouped.dense_counts
    counts[90, 60:] = 50
    return Observed.from_counts(counts)


def test_a_cluster_of_one_cell_is_refused_and_left_alone_when_repaired(lonely):
    with pytest.raises(InputError, match=r"1 of 4 clusters hold one cell.*repaired=true"):
        SdImpute(ks=(4,)).impute(lonely, Context())
    repaired = SdImpute(ks=(4,), repaired=True).impute(lonely, Context()).expression
    np.testing.assert_array_equal(repaired[-1], lonely.dense_counts[-1])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (np.ones((15, 9)), "more than 15 must have counts and 15 must differ; 15 have"),
        (np.ones((40, 9)), "40 have and 1 do"),
        (np.zeros((40, 9)), "0 have"),
        (np.arange(1, 41)[:, None], "at least 2; no parameter helps"),
    ],
    ids=["few cells", "all the same", "no counts", "one gene"],
)
def test_what_cannot_be_clustered_is_refused_with_what_to_do(counts, words):
    with pytest.raises(InputError, match=words):
        SdImpute().impute(Observed.from_counts(counts), Context())


def test_starts_that_are_the_same_cell_twice_are_drawn_again(grouped):
    copies = np.concatenate([grouped.dense_counts[:12]] * 3)
    imputed = SdImpute(ks=(6,), repaired=True).impute(Observed.from_counts(copies), Context())
    assert imputed.info["n_clusters"] == 6
    for block in (imputed.expression[12:24], imputed.expression[24:]):
        np.testing.assert_allclose(block, imputed.expression[:12], rtol=1e-6)


def test_no_numbers_of_clusters_are_refused():
    with pytest.raises(InputError, match="ks is empty"):
        SdImpute(ks=())
