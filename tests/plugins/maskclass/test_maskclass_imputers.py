"""The imputers: what they return, what they accept, and how they refuse."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from impbench_plugins.maskclass import MaskClassBalanced, MaskClassBest, MaskClassPrior

from impbench import Context, Observed
from impbench.errors import Cancelled, InputError, UnavailableError


@pytest.fixture(scope="module")
def observed():
    rng = np.random.default_rng(0)
    mean = rng.gamma(0.8, 4, (1, 40)) * rng.choice([0.3, 1.5], (60, 40))
    return Observed.from_counts(rng.poisson(mean) * (rng.random((60, 40)) < 0.6))


def test_both_return_expression_embedding_and_facts_and_keep_what_was_observed(observed):
    for imputer in (MaskClassBest(epochs=2), MaskClassBalanced(epochs=2)):
        done = []
        context = Context(on_progress=lambda now, total, done=done: done.append((now, total)))
        imputed = imputer.impute(observed, context)
        imputed.check(observed)
        seen = observed.lognorm > 0
        np.testing.assert_array_equal(imputed.expression[seen], observed.lognorm[seen])
        assert imputed.embedding.shape == (60, 32)
        assert imputed.info["engine"] == "fast"
        assert imputed.info["device"] == "cpu"
        assert {"final_loss", "k", "x0"} <= set(json.loads(json.dumps(imputed.info)))
        assert done == [(1, 2), (2, 2)]


def test_balanced_differs_from_best_by_gamma_alone(observed):
    best = MaskClassBest(epochs=2, gamma=1.0).impute(observed, Context(seed=4))
    balanced = MaskClassBalanced(epochs=2).impute(observed, Context(seed=4))
    np.testing.assert_array_equal(best.expression, balanced.expression)


def test_seed_decides_in_the_reference_too(observed):
    imputer = MaskClassBalanced(epochs=2, engine="reference")
    first, again, other = (imputer.impute(observed, Context(seed=s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.expression, again.expression)
    assert not np.allclose(first.expression, other.expression)
    assert first.info["engine"] == "reference"


def test_raw_reconstruction_is_offered_and_negative_values_clipped_on_demand(observed):
    raw = MaskClassBest(epochs=2, keep_observed=False).impute(observed, Context()).expression
    kept = MaskClassBest(epochs=2).impute(observed, Context()).expression
    zero = observed.lognorm == 0
    np.testing.assert_array_equal(raw[zero], kept[zero])
    assert not np.allclose(raw[~zero], kept[~zero])
    clipped = MaskClassBest(epochs=2, keep_observed=False, clip_negative=True)
    np.testing.assert_array_equal(
        clipped.impute(observed, Context()).expression, np.maximum(raw, 0)
    )


@pytest.mark.parametrize("engine", ["fast", "reference"])
@pytest.mark.parametrize("n_cells", [1, 2, 31])
def test_fewer_cells_than_a_batch_still_train(observed, engine, n_cells):
    few = Observed.from_counts(observed.counts[:n_cells] + (np.arange(40) == 0))
    imputed = MaskClassBalanced(epochs=2, engine=engine).impute(few, Context())
    imputed.check(few)


@pytest.mark.parametrize("engine", ["fast", "reference"])
def test_constant_and_unexpressed_genes_and_empty_cells_give_finite_values(observed, engine):
    counts = observed.counts.copy()
    counts[:, 3], counts[:, 5], counts[8] = 0, 2, 0
    awkward = Observed.from_counts(counts, size_factors=np.ones(60))
    imputed = MaskClassBalanced(epochs=3, engine=engine).impute(awkward, Context())
    imputed.check(awkward)
    assert (imputed.expression[:8, 5] == np.float32(np.log2(3))).all()


@pytest.mark.parametrize("sizes", [(5, 3), (64, 32), (100, 20)])
def test_any_layer_width_works_in_both_engines(observed, sizes):
    for engine in ("fast", "reference"):
        imputer = MaskClassBest(epochs=1, hidden=sizes[0], bottleneck=sizes[1], engine=engine)
        assert imputer.impute(observed, Context()).embedding.shape == (60, sizes[1])


def test_counts_that_are_no_integers_are_said_to_be_back_transformed(observed):
    log_only = Observed.from_counts(np.exp2(observed.lognorm.astype(np.float64)) - 1)
    imputed = MaskClassBest(epochs=1).impute(log_only, Context())
    assert "2^x − 1" in imputed.info["note"]
    assert "note" not in MaskClassBest(epochs=1).impute(observed, Context()).info


def test_quantiles_the_wrong_way_round_are_refused():
    with pytest.raises(InputError, match="quantiles"):
        MaskClassBest(quantiles=(99.5, 2.0))


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is present")
def test_cuda_asked_for_and_absent_is_an_error_and_auto_says_what_it_chose(observed):
    for call in (MaskClassBest().prepare, lambda c: MaskClassBest().impute(observed, c)):
        with pytest.raises(UnavailableError, match="device 'cuda' was asked for"):
            call(Context(device="cuda"))
    info = MaskClassBest(epochs=1).impute(observed, Context(device="auto")).info
    assert info["device"] == "cpu"


def test_an_unknown_device_is_refused_by_name(observed):
    with pytest.raises(InputError, match="'tpu'"):
        MaskClassBest().impute(observed, Context(device="tpu"))


def test_the_fast_engine_refuses_a_gpu():
    with pytest.raises(InputError, match="runs on the CPU"):
        MaskClassBest(engine="fast")._engine("cuda")


@pytest.mark.parametrize("engine", ["fast", "reference"])
def test_progress_can_stop_the_training(observed, engine):
    def stop(done, total):
        if done == 2:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        MaskClassBest(engine=engine).impute(observed, Context(on_progress=stop))


def test_prior_gives_a_zero_its_share_of_the_mean_of_observed_values(case):
    simulated = case("small_rare")
    observed, p_bio = simulated.observed, simulated.arrays["p_bio"]
    x = np.where(observed.lognorm > 0, observed.lognorm, np.nan)
    expected = np.where(np.isnan(x), (1 - p_bio) * np.nanmean(x, axis=0), x)
    imputed = MaskClassPrior().impute(observed, Context())
    np.testing.assert_allclose(imputed.expression, expected, atol=1e-4)
    assert MaskClassPrior.is_control


@pytest.mark.parametrize(("name", "mse"), [("sim_equal", 0.387), ("sim_rare", 0.371),
                                            ("sim_batch", 0.368)])  # fmt: skip
def test_prior_scores_near_what_it_does_on_a_thousand_cells(case, name, mse):
    simulated = case(name)
    imputed = MaskClassPrior().impute(simulated.observed, Context())
    assert simulated.mse_splits(imputed.expression)[0] == pytest.approx(mse, rel=0.07)


def test_model_and_engines_import_with_torch_numpy_scipy_and_numba_alone():
    script = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"anndata", "scanpy", "pandas", "sklearn", "pluggy", "h5py"}:
            raise ModuleNotFoundError(f"No module named {name!r}")
sys.meta_path.insert(0, Refuse())
from impbench_plugins.maskclass import biozero, fast, network, reference, scaler, training
"""
    subprocess.run([sys.executable, "-c", script], check=True)
