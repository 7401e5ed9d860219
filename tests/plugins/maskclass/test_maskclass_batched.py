"""Many seeds at once: equal to one by one, and trained like the authors' code."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from impbench_plugins.maskclass import MaskClassBalanced, MaskClassBest, batched
from impbench_plugins.maskclass.batched import hashed, train_many
from impbench_plugins.maskclass.training import MaskClassData, MaskClassSettings

from impbench import Context

pytestmark = pytest.mark.slow

DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[
            pytest.mark.gpu,
            pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
        ],
    ),
]


@pytest.fixture(scope="module")
def data(case):
    observed = case("small_rare").observed
    return MaskClassData.prepare(observed.counts, observed.lognorm)


@pytest.mark.parametrize("device", DEVICES)
def test_a_batch_of_seeds_equals_seed_by_seed(data, device):
    settings = MaskClassSettings(gamma=1.0, epochs=3)
    together = train_many(data, settings, [1, 5, -7], lambda done, total: None, device)
    for seed, (network, losses) in zip([1, 5, -7], together, strict=True):
        [(alone, alone_losses)] = train_many(
            data, settings, [seed], lambda done, total: None, device
        )
        np.testing.assert_allclose(losses, alone_losses, rtol=1e-4)
        np.testing.assert_allclose(
            network.reconstruct(data)[0], alone.reconstruct(data)[0], rtol=1e-3, atol=1e-3
        )
    assert together[0][1] != together[1][1]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("imputer", [MaskClassBest, MaskClassBalanced])
def test_training_many_seeds_scores_like_the_authors_code(case, authors_scores, imputer, device):
    simulated, theirs = case("small_rare"), authors_scores("small_rare", imputer.name)
    contexts = [Context(seed=seed, device=device) for seed in (1, 2, 3)]
    imputed = imputer(engine="batched").impute_many(simulated.observed, contexts)
    assert [i.info["seeds_together"] for i in imputed] == [3, 3, 3]
    ours = np.mean([simulated.mse_splits(i.expression) for i in imputed], axis=0)
    expected = theirs.mean(axis=0)
    tolerance = np.maximum(0.1 * expected, 3 * theirs.std(axis=0, ddof=1))
    assert (np.abs(ours - expected) <= tolerance).all()


def test_corruption_masks_at_the_papers_rates(data):
    settings = MaskClassSettings(p_zero=0.4)
    corruption = batched.BlockCorruption.of(data, settings, [1, 2], "cpu")
    block = batched.ReplicateBatches.empty(2, data, settings, "cpu")
    zero, rate = data.lognorm == 0, np.zeros((2, *data.lognorm.shape))
    for epoch in range(20):
        order = corruption.order(epoch)
        assert (order.sort().values == torch.arange(200)).all()
        corruption.fill(block, order, epoch)
        for seed in range(2):
            rate[seed, order[seed]] += (block.weight[seed] > 0).numpy() / 20
    assert not np.array_equal(rate[0], rate[1])
    assert rate[:, ~zero].mean() == pytest.approx(0.3, rel=0.01)
    assert rate[:, zero].mean() == pytest.approx(0.4 * data.p_bio[zero].mean(), rel=0.02)
    masked = block.weight > 0
    unmasked = torch.where(masked, 0, block.s_tilde - block.s)
    assert not unmasked.any()
    assert not block.s_tilde[masked & (block.weight == settings.w_nz)].any()


def test_hashed_bits_are_even_and_independent():
    words = hashed(torch.arange(8000)).numpy().view(np.uint64)
    each = (words[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
    assert abs(each.mean(axis=0) - 0.5).max() < 4.5 * 0.5 / len(words) ** 0.5
    correlation = np.corrcoef(each.T.astype(float))
    assert abs(correlation - np.eye(64)).max() < 5 / len(words) ** 0.5


def test_seeds_that_do_not_fit_the_memory_train_fewer_at_once(case, monkeypatch, caplog):
    def train_at_most_two(data, settings, seeds, progress, device):
        if len(seeds) > 2:
            raise torch.OutOfMemoryError("full")
        return train_many(data, settings, seeds, progress, device)

    monkeypatch.setattr(batched, "train_many", train_at_most_two)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    contexts = [Context(seed=seed) for seed in range(5)]
    with caplog.at_level(logging.WARNING):
        imputed = MaskClassBest(engine="batched", epochs=1).impute_many(
            case("small_rare").observed, contexts
        )
    assert [i.info["seeds_together"] for i in imputed] == [2, 2, 1, 2, 2]
    assert "5 seeds do not fit" in caplog.text
