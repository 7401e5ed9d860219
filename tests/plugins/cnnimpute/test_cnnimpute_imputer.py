from pathlib import Path

import anndata
import numpy as np
import pytest
from impbench_plugins.cnnimpute import CnnImpute, CnnImputeNl
from impbench_plugins.cnnimpute.dropouts import cluster_dropouts
from impbench_plugins.shared.dropout_mixture import log_cpm

from impbench import Context, Observed
from impbench.errors import InputError

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module")
def tiny():
    """Forty cells of two types, a third of the entries dropped; eight genes keep all."""
    rng = np.random.default_rng(0)
    means = rng.gamma(2.0, 20.0, (2, 30)) + 5
    counts = rng.poisson(means[np.arange(40) % 2] * rng.uniform(0.7, 1.4, (40, 1)))
    dropped = rng.random(counts.shape) < 0.33
    dropped[:, :8] = False
    counts[dropped] = 0
    return Observed.from_counts(counts, n_groups=2)


@pytest.fixture(scope="module")
def original():
    """A cluster of real cells, and what the released program makes of it with three seeds."""
    with np.load(DATA / "cnnimpute" / "original.npz") as file:
        return {name: file[name] for name in file.files}


@pytest.mark.parametrize("kind", [CnnImpute, CnnImputeNl])
@pytest.mark.parametrize("network_input", ["counts", "cpm"])
def test_only_likely_dropouts_change(tiny, kind, network_input):
    imputer = kind(n_clusters=1, epochs=2, network_input=network_input)
    imputed = imputer.impute(tiny, Context())
    imputed.check(tiny)
    assert imputed.scale == "counts"
    genes, probabilities = cluster_dropouts(
        log_cpm(tiny.counts), tiny.counts > 0, spare_nonzeros=True
    )
    likely = np.zeros(tiny.counts.shape, dtype=bool)
    likely[:, genes] = probabilities > 0.5
    assert likely.any()
    assert not tiny.counts[likely].any()
    np.testing.assert_array_equal(imputed.expression[~likely], tiny.counts[~likely])
    assert imputed.info["n_imputed"] == likely.sum()
    assert imputed.info["block_targets"] == [likely.any(axis=0).sum()]
    assert imputed.embedding is None


@pytest.mark.slow
def test_a_cluster_is_imputed_as_the_program_does(original):
    counts = original["counts"].astype(float)
    imputed = CnnImpute(n_clusters=1).impute(Observed.from_counts(counts), Context()).expression
    here = np.unpackbits(original["imputed"])[: counts.size].reshape(counts.shape).astype(bool)
    np.testing.assert_array_equal(imputed != counts, here)

    def distance(one, other):
        return np.linalg.norm(np.log1p(one) - np.log1p(other)) / np.linalg.norm(np.log1p(other))

    theirs = [counts.copy() for _ in range(3)]
    for seed, values in enumerate(theirs, start=1):
        values[here] = original[f"imputed_seed{seed}"]
    spread = np.mean([distance(theirs[i], theirs[j]) for i, j in ((0, 1), (0, 2), (1, 2))])
    assert np.mean([distance(imputed, one) for one in theirs]) < 1.5 * spread
    assert 1.5 * spread < 0.5 * distance(counts, theirs[0])  # Doing nothing fails.


@pytest.mark.slow
def test_simulated_cells_without_a_gene_outside_their_block_come_back_as_given():
    # As the program gives them back: each cluster's only block holds all genes.
    counts = anndata.read_h5ad(DATA / "inputs" / "small_rare.h5ad").X.toarray()
    imputed = CnnImpute().impute(Observed.from_counts(counts), Context())
    np.testing.assert_array_equal(imputed.expression, counts)
    assert len(imputed.info["cluster_sizes"]) == 2
    assert imputed.info["block_inputs"] == [0, 0]
    assert imputed.info["validation_loss"] == [None, None]
    assert imputed.embedding.shape == (200, 3)


def test_halved_blocks_beat_zeros_on_simulated_dropouts():
    cells = anndata.read_h5ad(DATA / "inputs" / "small_rare.h5ad")[:100]
    counts, truth = (m.toarray() for m in (cells.X, cells.layers["true_counts"]))
    observed, true = Observed.from_counts(counts), Observed.from_counts(truth).lognorm
    dropout = (counts == 0) & (truth > 0)
    imputer = CnnImpute(n_clusters=1, halve=True, learning_rate=1e-3, epochs=15)
    values = imputer.impute(observed, Context()).lognorm(observed)
    left_as_zeros = np.mean(true[dropout] ** 2)
    assert np.mean((values - true)[dropout] ** 2) < 0.8 * left_as_zeros


def test_counted_values_can_be_dropouts_on_demand():
    rng = np.random.default_rng(0)
    counts = rng.poisson(rng.gamma(2, 15, (1, 30)) * np.ones((40, 1))) + 1
    counts[:, :20][rng.random((40, 20)) < 0.3] = 0
    counts[:5, 3] = 1
    counts[:, 0] = 1_000_000
    observed = Observed.from_counts(counts)
    changed = [
        CnnImpute(n_clusters=1, epochs=1, nonzeros=nonzeros).impute(observed, Context()).expression
        != counts
        for nonzeros in (False, True)
    ]
    assert not (changed[0] & (counts > 0)).any()
    assert (changed[1] & (counts > 0)).any()


def test_progress_runs_to_the_end_and_facts_are_told(tiny):
    done = []
    context = Context(on_progress=lambda now, total: done.append((now, total)))
    imputer = CnnImpute("groups", perplexity=5, n_embeddings=1, epochs=3, block_size=12)
    imputed = imputer.impute(tiny, context)
    assert done == sorted(done)
    assert done[-1] == (100, 100)
    assert sum(imputed.info["cluster_sizes"]) == 40
    assert len(imputed.info["cluster_sizes"]) == 2
    assert set(imputed.info["epochs"]) == {3}


def test_data_without_dropouts_come_back_as_they_are():
    counts = np.random.default_rng(0).poisson(200, (20, 12)) + 1
    imputed = CnnImpute(n_clusters=1).impute(Observed.from_counts(counts), Context())
    np.testing.assert_array_equal(imputed.expression, counts)
    assert imputed.info["block_targets"] == []
    assert imputed.info["epochs"] == []


@pytest.mark.parametrize("counts", [np.ones((9, 5)), np.zeros((40, 5)), np.zeros((0, 5))])
def test_fewer_than_ten_cells_with_counts_are_refused(counts):
    with pytest.raises(InputError, match="at least 10 cells with counts"):
        CnnImpute().impute(Observed.from_counts(counts), Context())


def test_ten_valid_genes_in_a_cluster_are_refused_as_the_program_fails(tiny):
    ten = Observed.from_counts(tiny.counts[:, 8:18])
    with pytest.raises(InputError, match=r"for 10 genes, .* at least 11; pass fewer clusters"):
        CnnImpute(n_clusters=1).impute(ten, Context())
    eleven = Observed.from_counts(tiny.counts[:, 8:19])
    CnnImpute(n_clusters=1, epochs=1).impute(eleven, Context())


def test_unknown_number_of_groups_is_refused_when_asked_for(tiny):
    with pytest.raises(InputError, match="do not say how many groups"):
        CnnImpute(n_clusters="groups").impute(Observed.from_counts(tiny.counts), Context())


@pytest.mark.slow
def test_every_parameter_changes_the_result(tiny):
    quick = {
        "n_clusters": 2, "perplexity": 5, "n_embeddings": 1, "epochs": 4, "n_correlated": 2,
        "block_size": 12,
    }  # fmt: skip
    default = CnnImpute(**quick).impute(tiny, Context()).expression
    for changed in (
        {"n_clusters": 1}, {"network_input": "cpm"}, {"network": "block"}, {"repeats": False},
        {"threshold": 1.0}, {"max_missing": 0.2}, {"n_correlated": 3},
        {"block_size": 9}, {"pooling": "max"}, {"output": "linear"},
        {"dropout_rate": 0.0}, {"epochs": 3}, {"batch_size": 8}, {"learning_rate": 1e-3},
        {"learning_rate": 0.1, "early_stop": 1},
    ):  # fmt: skip
        imputer = CnnImpute(**{**quick, **changed})
        assert not np.array_equal(imputer.impute(tiny, Context()).expression, default), changed
    assert not np.array_equal(CnnImputeNl(**quick).impute(tiny, Context()).expression, default)
