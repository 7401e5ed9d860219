"""Gene scaling against its three steps written out, and both directions."""

from __future__ import annotations

import numpy as np
import pytest
from impbench_plugins.maskclass.scaler import GeneScaler


@pytest.fixture(scope="module")
def lognorm(case):
    return case("small_rare").observed.lognorm


def test_parameters_equal_the_three_steps_to_1e_6(lognorm):
    x = lognorm.astype(np.float64)
    low, high = np.quantile(x, [0.02, 0.995], axis=0)
    winsorised = np.minimum(np.maximum(x, low), high)
    mean, sd = winsorised.mean(axis=0), winsorised.std(axis=0)
    sd = np.where(sd < 1e-8, 1, sd)
    z = (winsorised - mean) / sd
    z_range = z.max(axis=0) - z.min(axis=0)
    z_range = np.where(z_range < 1e-8, 1, z_range)
    scaler = GeneScaler.fit(lognorm)
    for ours, expected in (
        (scaler.q_low, low),
        (scaler.q_high, high),
        (scaler.mean, mean),
        (scaler.sd, sd),
        (scaler.z_min, z.min(axis=0)),
        (scaler.z_range, z_range),
    ):
        np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-6)
    scaled = 2 * (z - z.min(axis=0)) / z_range - 1
    np.testing.assert_allclose(scaler.scale(lognorm), scaled, atol=1e-6)
    inverse = ((scaled + 1) / 2 * z_range + z.min(axis=0)) * sd + mean
    ours = scaler.invscale(scaled.astype(np.float32))
    np.testing.assert_allclose(ours, inverse, rtol=1e-6, atol=1e-6)


def test_s0_is_the_image_of_zero_without_winsorising():
    lognorm = np.random.default_rng(1).uniform(2, 5, (300, 4)).astype(np.float32)
    scaler = GeneScaler.fit(lognorm)
    expected = 2 * (0 - scaler.q_low) / (scaler.q_high - scaler.q_low) - 1
    np.testing.assert_allclose(scaler.s0, expected, rtol=1e-9)
    assert (scaler.s0 < -1).all()


def test_an_observed_zero_scales_to_minus_one(lognorm):
    scaled = GeneScaler.fit(lognorm).scale(lognorm)
    assert (scaled[lognorm == 0] == -1).all()


@pytest.mark.parametrize("value", [0.0, 3.5])
def test_a_constant_gene_goes_to_minus_one_and_back(value):
    lognorm = np.full((20, 2), value, dtype=np.float32)
    scaler = GeneScaler.fit(lognorm)
    assert (scaler.scale(lognorm) == -1).all()
    np.testing.assert_allclose(scaler.invscale(scaler.scale(lognorm)), lognorm)


def test_quantiles_are_those_asked_for(lognorm):
    scaler = GeneScaler.fit(lognorm, quantiles=(0, 100))
    np.testing.assert_allclose(scaler.q_high, lognorm.max(axis=0), rtol=1e-6)
    np.testing.assert_allclose(
        scaler.invscale(scaler.scale(lognorm)), lognorm, rtol=1e-5, atol=1e-5
    )
