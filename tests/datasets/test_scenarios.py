import anndata as ad
import numpy as np
import pytest

from impbench import scale
from impbench.data.scenarios import SimBatch, SimEqual, SimRare, SimUnequal
from impbench.data.simulate import simulate
from impbench.errors import InputError, NotFoundError

SCENARIOS = [SimEqual, SimUnequal, SimRare, SimBatch]

# What the original simulations were drawn with (seed 42): R's own runif, to the eighth digit.
AUTHORS = {
    "sim_equal": ([2.14455814, 4.32179050], [-0.85825448, -0.98090405]),
    "sim_unequal": (
        [3.94635326, 1.53866639, 3.62796916],
        [-0.79493522, -1.04225822, -0.78088775],
    ),
    "sim_rare": (
        [2.89998833, 3.24133098, 4.61612555, 1.55484067],
        [-0.51110827, -0.55333177, -1.41756244, -0.98578822],
    ),
    "sim_batch": (
        [4.73868899, 2.02171530, 2.84917129],
        [-0.55998548, -0.52177357, -1.38251264],
    ),
}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_dropout_curves_are_those_of_the_authors(scenario):
    params = scenario(seed=42).splat_params()
    mid, shape = AUTHORS[scenario.name]
    np.testing.assert_allclose(params.dropout_mid, mid, atol=5e-9)
    np.testing.assert_allclose(params.dropout_shape, shape, atol=5e-9)
    assert params.dropout_type == ("batch" if scenario is SimBatch else "group")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_dropout_curves_stay_within_the_papers_ranges(scenario):
    # From 1, because R's streams of seeds 0 and 1 are the same but for one number.
    curves = [scenario(seed=seed).splat_params() for seed in range(1, 51)]
    mids = np.array([c.dropout_mid for c in curves])
    shapes = np.array([c.dropout_shape for c in curves])
    assert (mids >= 1).all()
    assert (mids <= 5).all()
    assert (shapes >= -1.5).all()
    assert (shapes <= -0.5).all()
    assert len(np.unique(mids)) == mids.size


@pytest.mark.parametrize(
    ("scenario", "shares"),
    [
        (SimEqual, [0.5, 0.5]),
        (SimUnequal, [0.6, 0.3, 0.1]),
        (SimRare, [0.5, 0.25, 0.2, 0.05]),
        (SimBatch, [0.4, 0.3, 0.3]),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_groups_have_the_papers_shares(scenario, shares):
    labels = scenario(n_cells=2000, n_genes=50).load().labels
    names, sizes = np.unique(labels, return_counts=True)
    assert names.tolist() == [f"Group{i + 1}" for i in range(len(shares))]
    np.testing.assert_allclose(sizes / 2000, shares, atol=0.04)  # 3.6 sd at the most


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_dataset_is_whole_and_reproducible(scenario):
    source = scenario(n_cells=100, n_genes=300)
    dataset = source.load()
    assert dataset.name == source.spec
    assert dataset.counts.shape == dataset.true_counts.shape == (100, dataset.n_genes)
    assert (np.count_nonzero(dataset.counts, axis=0) >= 3).all()
    assert 0 < dataset.n_genes < 300
    assert len(set(dataset.gene_names)) == dataset.n_genes
    assert dataset.genes.index.tolist() == list(dataset.gene_names)
    assert dataset.fingerprint == source.load().fingerprint
    assert dataset.fingerprint != scenario(n_cells=100, n_genes=300, seed=1).load().fingerprint
    np.testing.assert_array_equal(dataset.library_size, dataset.counts.sum(axis=1))
    np.testing.assert_array_equal(dataset.true_library_size, dataset.true_counts.sum(axis=1))


def test_differential_expression_is_known_for_every_group():
    genes = SimRare(n_cells=100).load().genes
    factors = genes.filter(like="de_factor_")
    assert factors.columns.tolist() == [f"de_factor_Group{i}" for i in (1, 2, 3, 4)]
    assert ((factors != 1).mean() - 0.1).abs().max() < 0.04


def test_batches_share_cells_evenly_and_differ_in_dropout_alone():
    dataset = SimBatch(n_cells=500).load()
    assert np.unique(dataset.batch, return_counts=True)[1].tolist() == [167, 167, 166]
    assert (dataset.genes.filter(like="batch_factor_") == 1).all(axis=None)
    kept = dataset.counts > 0
    np.testing.assert_array_equal(dataset.counts[kept], dataset.true_counts[kept])


def test_batch_effects_on_the_means_can_be_kept():
    genes = SimBatch(n_cells=100, batch_effect="kept").load().genes
    assert (genes.filter(like="batch_factor_") != 1).all(axis=None)


def test_scenarios_without_batches_name_none():
    assert SimEqual(n_cells=50, n_genes=100).load().batch is None


def test_dropout_curves_can_be_set():
    source = SimEqual(n_cells=60, n_genes=200, dropout_mid=(1.0, 2.0), dropout_shape=-1.0)
    facts = source.load().facts
    assert facts["dropout_mid"] == [1, 2]
    assert facts["dropout_shape"] == [-1, -1]
    with pytest.raises(InputError, match=r"dropout_mid=.*one per group"):
        SimEqual(dropout_mid=(1.0, 2.0, 3.0)).load()


def test_scenario_is_named_by_its_text():
    source = SimRare.from_text({"n_cells": "500", "seed": "7"})
    assert source.spec == "sim_rare[n_cells=500,seed=7]"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_three_cells_work(scenario):
    dataset = scenario(n_cells=3).load()
    assert dataset.n_cells == 3
    assert (dataset.counts > 0).all()  # every gene kept is seen in three cells


def test_too_few_cells_or_genes_are_refused():
    with pytest.raises(InputError, match="n_cells=2 must be at least 3"):
        SimEqual(n_cells=2)
    with pytest.raises(InputError, match="no gene is seen in 3 of 3 cells; raise n_cells"):
        SimEqual(n_cells=3, n_genes=20, dropout_mid=50.0).load()


def test_simulate_gives_anndata_with_truth(tmp_path):
    adata = simulate("sim_batch", n_cells=60, seed=3, n_genes=200)
    dataset = SimBatch(n_cells=60, seed=3, n_genes=200).load()
    np.testing.assert_array_equal(adata.X, dataset.counts)
    np.testing.assert_array_equal(adata.layers["true_counts"], dataset.true_counts)
    assert adata.obs["cell_type"].tolist() == dataset.labels.tolist()
    assert adata.obs["batch"].tolist() == dataset.batch.tolist()
    assert adata.var_names.tolist() == list(dataset.gene_names)
    np.testing.assert_array_equal(adata.obs["true_library_size"], dataset.true_library_size)
    np.testing.assert_array_equal(adata.obs["size_factor"], dataset.size_factors)
    ratio = adata.obs["true_library_size"] / adata.obs["expected_library_size"]
    assert ratio.between(0.7, 1.3).all()
    np.testing.assert_array_equal(
        scale.size_factors(adata.obs["library_size"].to_numpy()), dataset.size_factors
    )
    adata.write_h5ad(tmp_path / "sim.h5ad")
    again = ad.read_h5ad(tmp_path / "sim.h5ad")
    np.testing.assert_array_equal(
        again.uns["impbench"]["dropout_mid"], dataset.facts["dropout_mid"]
    )


def test_simulate_names_what_it_does_not_know():
    with pytest.raises(NotFoundError, match="did you mean sim_rare"):
        simulate("sim_rar")
    with pytest.raises(InputError, match="sim_rare has no parameter 'cells'; its parameters: n_c"):
        simulate("sim_rare", cells=5)
