"""What scVI says about itself, and what it returns where scvi-tools is installed."""

import importlib.util

import numpy as np
import pytest
import scipy.sparse as sp
from impbench_plugins.scvi import Scvi, ScviLd

from impbench import Context, Observed
from impbench.errors import InputError, UnavailableError
from impbench.testing.example import N_GROUPS, example_counts

INSTALLED = importlib.util.find_spec("scvi") is not None
needs_scvi = pytest.mark.skipif(not INSTALLED, reason="scvi-tools is not installed")


@pytest.fixture(scope="module")
def example():
    return Observed.from_counts(example_counts())


@pytest.mark.parametrize("model", [Scvi, ScviLd])
def test_says_what_installs_it_exactly_when_it_is_missing(monkeypatch, model):
    assert (model.unavailable() is None) == INSTALLED
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "pip install 'scvi-tools>=1.1'" in model.unavailable()
    with pytest.raises(UnavailableError, match=f"{model.name} cannot run.*pip install"):
        model().prepare(Context())


@pytest.mark.parametrize("model", [Scvi, ScviLd])
def test_declares_what_every_result_holds(model):
    assert model.gives == ("expression", "embedding")


@pytest.mark.skipif(INSTALLED, reason="scvi-tools is installed")
@pytest.mark.parametrize("model", [Scvi, ScviLd])
def test_refuses_to_run_without_scvi_tools_and_says_how_to_get_it(example, model):
    with pytest.raises(UnavailableError, match="scvi-tools is not installed"):
        model().impute(example, Context())


@needs_scvi
@pytest.mark.parametrize("model", [Scvi, ScviLd])
def test_expression_keeps_each_cells_own_library_size(example, model):
    imputed = model(epochs=3).impute(example, Context())
    imputed.check(example)
    imputed.must_hold(model.gives)
    assert imputed.scale == "counts"
    assert imputed.embedding.shape == (60, 10)
    np.testing.assert_allclose(imputed.expression.sum(1), example.counts.sum(1), rtol=1e-4)
    assert imputed.info["epochs"] == 3


@needs_scvi
def test_latents_tell_groups_apart():
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score

    observed = Observed.from_counts(example_counts(300, 80))
    embedding = Scvi(epochs=100).impute(observed, Context()).embedding
    found = KMeans(N_GROUPS, n_init=10, random_state=0).fit_predict(embedding)
    assert adjusted_rand_score(np.arange(300) % N_GROUPS, found) > 0.8


@needs_scvi
def test_leaves_the_settings_of_scvi_tools_as_they_were(example):
    import scvi

    before = scvi.settings.seed
    Scvi(epochs=1).impute(example, Context(seed=9))
    assert scvi.settings.seed == before


@needs_scvi
@pytest.mark.parametrize("model", [Scvi, ScviLd])
def test_every_parameter_changes_the_result(example, model):
    observed = Observed.from_counts(example.counts, batch=["a", "b"] * 30)
    default = model(epochs=3).impute(observed, Context()).expression
    for changed in (
        {"gene_likelihood": "poisson"}, {"n_latent": 5}, {"n_hidden": 64}, {"n_layers": 2},
        *([{"dispersion": "gene-cell"}] if model is Scvi else []),
        {"dropout_rate": 0.3}, {"covariates": "batch"}, {"epochs": 2},
        {"batch_size": 20}, {"learning_rate": 1e-2}, {"n_samples": 5},
    ):  # fmt: skip
        imputer = model(**{"epochs": 3, **changed})
        assert not np.array_equal(imputer.impute(observed, Context()).expression, default), changed


@needs_scvi
def test_empty_cells_and_missing_batches_are_refused(example):
    counts = example.counts.copy()
    counts[3] = 0
    with pytest.raises(InputError, match="1 of them empty"):
        Scvi().impute(Observed.from_counts(sp.csr_matrix(counts)), Context())
    with pytest.raises(InputError, match=r"scvi-ld needs .* 1 of them empty"):
        ScviLd().impute(Observed.from_counts(sp.csr_matrix(counts)), Context())
    with pytest.raises(InputError, match="hold no batches"):
        Scvi(covariates="batch").impute(example, Context())
