"""R's k-means: the partitions that R found, and R itself where it is there."""

import shutil
import subprocess
from pathlib import Path

import anndata
import numpy as np
import pytest
from impbench_plugins.ccimpute.distance import unit_ranks
from impbench_plugins.ccimpute.method import gene_weights
from impbench_plugins.shared.distance_components import distance_components
from impbench_plugins.shared.r_kmeans import distinct_points, r_kmeans
from impbench_plugins.shared.r_streams import biocparallel_stream

from impbench import Observed

DATA = Path(__file__).parents[1] / "data"


def same_partition(one, other):
    return len(set(zip(one, other, strict=True))) == len(np.unique(one)) == len(np.unique(other))


def test_ends_in_the_optimum_that_r_found_where_a_better_one_exists():
    # Clusterings of ccImpute 0.99.20, R 4.2.2, first call of a session. The third last has a sum
    # of squares 23 millionths above the best known, the last 243.
    cells = anndata.read_h5ad(DATA / "inputs" / "small_rare.h5ad")
    observed = Observed.from_counts(cells.X)
    weights = gene_weights(observed.dense_counts, observed.size_factors)
    loadings = distance_components(
        observed.dense_counts, lambda block: unit_ranks(block, weights), 0.0, 14
    ).loadings
    with np.load(DATA / "ccimpute" / "original.npz") as file:
        original = file["labels_small_rare"]
    for number in (0, 4, 6):
        points = loadings[:, : 8 + number]
        starts = biocparallel_stream().substream(number).samples(200, 4, 1000)
        labels, total = r_kmeans(points, starts, 1000)
        assert same_partition(labels, original[:, number])
        assert total == pytest.approx(sum_of_squares(points, labels), rel=1e-10)


def sum_of_squares(points, labels):
    return sum(
        ((points[labels == c] - points[labels == c].mean(axis=0)) ** 2).sum()
        for c in np.unique(labels)
    )


def test_inner_products_of_all_cells_lead_to_the_same_end(monkeypatch):
    from impbench_plugins.shared import r_kmeans as module

    rng = np.random.default_rng(1)
    points = rng.normal(size=(60, 12))
    starts = np.array([rng.choice(60, 4, replace=False) for _ in range(20)])
    by_products, total = r_kmeans(points, starts, 1000)
    monkeypatch.setattr(module, "GRAM_CELLS", 0)
    by_coordinates, same = r_kmeans(points, starts, 1000)
    assert total == pytest.approx(same, rel=1e-12)
    assert same_partition(by_products, by_coordinates)


@pytest.mark.r
@pytest.mark.parametrize("k", [1, 2, 5])
def test_one_start_ends_where_r_ends(tmp_path, k):
    rng = np.random.default_rng(k)
    points = rng.normal(size=(80, 3))
    starts = np.array([rng.choice(80, k, replace=False) for _ in range(20)])
    np.savetxt(tmp_path / "points.csv", points, delimiter=",", fmt="%.17g")
    np.savetxt(tmp_path / "starts.csv", starts + 1, delimiter=",", fmt="%d")
    script = f"""
        read <- function(file) unname(as.matrix(read.csv(file, header = FALSE)))
        points <- read("{tmp_path}/points.csv")
        starts <- read("{tmp_path}/starts.csv")
        for (i in 1:20) cat(kmeans(points, points[starts[i, ], , drop = FALSE], 1000)$cluster, "\n")
    """
    rscript = shutil.which("Rscript")
    assert rscript, "R is not installed"
    found = subprocess.run([rscript, "-e", script], capture_output=True, text=True, check=True)
    expected = np.loadtxt(found.stdout.splitlines(), dtype=int)
    for start, labels in zip(starts, expected, strict=True):
        np.testing.assert_array_equal(r_kmeans(points, start[None], 1000)[0] + 1, labels)


def test_points_equal_to_15_digits_count_once():
    points = np.array([[1.0, 2.0], [0.0, 1.0], [1.0 + 1e-16, 2.0 - 3e-16], [1.0 + 1e-12, 2.0]])
    np.testing.assert_array_equal(distinct_points(points), [0, 1, 3])
