"""The reference engine: corruption by its statistics, losses by hand, scores of the authors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from impbench_plugins.maskclass import reference
from impbench_plugins.maskclass.network import MaskClassNetwork, biozero_loss, masked_loss
from impbench_plugins.maskclass.reference import Corruption
from impbench_plugins.maskclass.training import MaskClassData, MaskClassSettings


@pytest.fixture(scope="module")
def data(case):
    observed = case("small_rare").observed
    return MaskClassData.prepare(observed.counts, observed.lognorm)


def test_corruption_masks_at_the_papers_rates_and_fills_with_the_papers_values(data):
    settings = MaskClassSettings(p_zero=0.4)
    scaler = data.scaler
    q_low, q_high, slope = (torch.tensor(a, dtype=torch.float32) for a in
                            (scaler.q_low, scaler.q_high, scaler.slope))  # fmt: skip
    corrupt = Corruption(q_low, q_high, slope, torch.tensor(data.max_count), settings)
    s = torch.tensor(scaler.scale(data.lognorm))
    zero, p_bio = torch.tensor(data.lognorm == 0), torch.tensor(data.p_bio)
    generator = torch.Generator().manual_seed(0)
    draws = [corrupt(s, zero, p_bio, generator) for _ in range(40)]
    masked = torch.stack([mask for _, mask in draws]).double()
    n_nonzero = int((~zero).sum()) * len(draws)
    assert masked[:, ~zero].mean() == pytest.approx(0.3, abs=4 * (0.21 / n_nonzero) ** 0.5)
    expected = float((0.4 * p_bio[zero].double()).mean())
    assert masked[:, zero].mean() == pytest.approx(expected, rel=0.02)
    rate = masked.mean(dim=0)[zero]
    assert np.corrcoef(rate, p_bio[zero])[0, 1] > 0.8
    for s_tilde, mask in draws[:3]:
        assert torch.equal(s_tilde[~mask], s[~mask])
        assert not s_tilde[mask & ~zero].any()
    gene = int(np.argmax(data.p_bio.sum(axis=0) * (scaler.q_high > 3)))
    noise = torch.cat([s_tilde[mask[:, gene] & zero[:, gene], gene] for s_tilde, mask in draws])
    eta = np.random.default_rng(0).uniform(0, settings.nu, 20000)
    injected = np.log2(1 + eta * data.max_count[gene]).clip(scaler.q_low[gene], scaler.q_high[gene])
    drawn = scaler.q_low[gene] + (noise.numpy() + 1) / scaler.slope[gene]
    np.testing.assert_allclose(
        np.quantile(drawn, [0.1, 0.5, 0.9]), np.quantile(injected, [0.1, 0.5, 0.9]), rtol=0.1
    )


def test_losses_equal_the_papers_sums_written_out():
    rng = np.random.default_rng(5)
    s_hat, s = rng.normal(size=(2, 6, 9))
    zero, mask = rng.random((2, 6, 9)) < 0.5
    p_bio = rng.random((6, 9)) * zero
    s0 = rng.normal(size=9)
    weight = np.where(zero, 2.0, 1.0) * mask
    expected = (weight * (s_hat - s) ** 2).sum() / weight.sum()
    arrays = [torch.tensor(a) for a in (s_hat, s, zero, mask)]
    assert float(masked_loss(*arrays, MaskClassSettings())) == pytest.approx(expected, rel=1e-12)
    expected = (p_bio * (s_hat - s0) ** 2).sum() / p_bio.sum()
    loss = biozero_loss(torch.tensor(s_hat), torch.tensor(s0), torch.tensor(p_bio))
    assert float(loss) == pytest.approx(expected, rel=1e-12)


def test_nothing_masked_and_no_zero_give_loss_zero():
    s_hat, zero = torch.ones(3, 4), torch.zeros(3, 4, dtype=torch.bool)
    assert masked_loss(s_hat, 0 * s_hat, zero, zero, MaskClassSettings()) == 0
    assert biozero_loss(s_hat, torch.zeros(4), torch.zeros(3, 4)) == 0


def test_initial_weights_have_pytorchs_bounds_and_depend_on_the_seed_alone():
    torch.manual_seed(1)
    first = MaskClassNetwork.initial(50, MaskClassSettings(), seed=3)
    torch.manual_seed(2)
    second = MaskClassNetwork.initial(50, MaskClassSettings(), seed=3)
    other = MaskClassNetwork.initial(50, MaskClassSettings(), seed=4)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(first.encoder[0].weight, other.encoder[0].weight)
    weight = first.encoder[0].weight.detach()
    assert weight.abs().max() == pytest.approx(50**-0.5, rel=0.01)
    assert weight.std() == pytest.approx((50 * 3) ** -0.5, rel=0.05)


def test_reference_result_does_not_depend_on_the_number_of_threads(data):
    before = torch.get_num_threads()
    results = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        network, losses = reference.train(
            data, MaskClassSettings(epochs=2), 1, lambda done, total: None
        )
        results.append((network.reconstruct(data)[0], losses))
        assert torch.get_num_threads() == threads
    torch.set_num_threads(before)
    np.testing.assert_array_equal(results[0][0], results[1][0])
    assert results[0][1] == results[1][1]
