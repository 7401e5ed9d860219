"""contrastive-sc against its authors' program, and its pieces against PyTorch and scanpy."""

from itertools import pairwise
from pathlib import Path

import anndata
import numpy as np
import pytest
import scanpy
import scipy.sparse as sp
import torch
from impbench_plugins.contrastive_sc import ContrastiveSc
from impbench_plugins.contrastive_sc.contrast import contrast
from impbench_plugins.contrastive_sc.network import WIDTHS, ContrastiveNetwork
from impbench_plugins.shared.scaled_genes import WithoutEmpty, scaled_genes
from impbench_plugins.shared.torch_adam import torch_adam
from impbench_plugins.shared.torch_random import TorchRandom
from torch import nn
from torch.nn import functional

from impbench import Context, Observed
from impbench.errors import InputError

DATA = Path(__file__).parents[2] / "data"
WHAT_IS_STORED = {"genes": slice(None, None, 6), "cells": slice(None, None, 4)}


@pytest.fixture(scope="module")
def rare():
    return Observed.from_counts(anndata.read_h5ad(DATA / "inputs" / "small_rare.h5ad").X)


@pytest.fixture(scope="module")
def original():
    """What the authors' program (commit e6a06ef) saw and gave, some genes and cells of it."""
    with np.load(DATA / "contrastive_sc" / "original.npz") as stored:
        return dict(stored)


def test_the_network_sees_what_the_original_saw_value_by_value(rare, original):
    seen = scaled_genes(WithoutEmpty.of(rare).observed, 500).values
    np.testing.assert_allclose(
        seen[:, WHAT_IS_STORED["genes"]], original["input_scaled"], atol=5e-6
    )


@pytest.mark.parametrize("seed", [1, 3])
def test_a_seed_gives_the_coordinates_that_it_gives_in_the_original(rare, original, seed):
    ours = ContrastiveSc().impute(rare, Context(seed=seed)).embedding[WHAT_IS_STORED["cells"]]
    theirs = original[f"embedding_seed{seed}"].astype(np.float32)
    # Rows have length 1: the cosine between ours and theirs, cell by cell.
    assert np.sum(ours * theirs, axis=1).min() > 0.99
    other = original["embedding_seed2"].astype(np.float32)
    assert np.median(np.sum(ours * other, axis=1)) < 0.9


def test_input_is_made_in_the_published_steps():
    """Fractions rounded up, nothing empty kept, medians, logs, dispersion, standardised."""
    rng = np.random.default_rng(3)
    counts = rng.negative_binomial(1, 0.15, (50, 80)) * rng.choice([0.4, 1.0], (50, 80))
    counts[7], counts[:, 11] = 0, 0
    ceiled = np.ceil(counts)[np.arange(50) != 7][:, np.arange(80) != 11]
    cells = anndata.AnnData(ceiled.astype(np.float32))
    scanpy.pp.normalize_total(cells, target_sum=float(np.median(ceiled.sum(axis=1))))
    scanpy.pp.log1p(cells)
    scanpy.pp.highly_variable_genes(cells, flavor="seurat", n_top_genes=20, subset=True)
    scanpy.pp.scale(cells)
    for stored in (counts, sp.csr_matrix(counts)):
        used = WithoutEmpty.of(Observed.from_counts(stored))
        found = scaled_genes(used.observed, 20)
        np.testing.assert_allclose(found.values, cells.X, atol=1e-5)
        assert list(np.flatnonzero(~used.cells)) == [7]
        assert list(np.flatnonzero(~used.genes)) == [11]


def torch_encoder(network, biases):
    """Return the same layers in PyTorch, with the network's weights."""
    w = network.weights
    layers = []
    for matrix in w.matrices:
        layers += [nn.Linear(*matrix.shape), nn.BatchNorm1d(matrix.shape[1]), nn.ReLU()]
    encoder = nn.Sequential(*layers[:-2])
    with torch.no_grad():
        for i, (matrix, bias) in enumerate(zip(w.matrices, biases, strict=True)):
            encoder[3 * i].weight.copy_(torch.from_numpy(matrix.T.copy()))
            encoder[3 * i].bias.copy_(torch.from_numpy(bias))
    return encoder


def drawn_by_pytorch(n_genes, seed):
    """Return a generator that has drawn the first weights, the last matrix, and the biases."""
    generator = torch.Generator().manual_seed(seed)
    widths = [*pairwise((n_genes, *WIDTHS))]
    biases = []
    for inputs, outputs in widths:
        for shape in ((outputs, inputs), (outputs,)):
            drawn = torch.empty(shape).uniform_(-(inputs**-0.5), inputs**-0.5, generator=generator)
        biases.append(drawn.numpy())
    for shape in widths:
        bound = (6 / sum(shape)) ** 0.5
        matrix = torch.empty(shape[::-1]).uniform_(-bound, bound, generator=generator)
    return generator, matrix.numpy().T, biases


def test_draws_gradient_and_running_averages_are_those_of_pytorch():
    network = ContrastiveNetwork(30, 0.5, 0.07, TorchRandom(1))
    generator, last, biases = drawn_by_pytorch(30, seed=1)
    np.testing.assert_array_equal(network.weights.matrices[-1], last)
    encoder = torch_encoder(network, biases)
    cells = np.random.default_rng(2).standard_normal((12, 30)).astype(np.float32)
    loss = network.backpropagate(network.drop_out(cells))

    views = [
        2 * torch.empty(12, 30).bernoulli_(0.5, generator=generator) * torch.from_numpy(cells)
        for _ in range(2)
    ]
    z = functional.normalize(torch.cat([encoder(view) for view in views]))
    similar = (z @ z.T / 0.07).fill_diagonal_(-torch.inf)
    expected = functional.cross_entropy(similar, torch.arange(24).roll(12))
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    for i, found in enumerate(network.gradients.matrices):
        wanted = encoder[3 * i].weight.grad.numpy().T
        np.testing.assert_allclose(found, wanted, atol=1e-5 * np.abs(wanted).max())
    for i in (0, 1):
        norm = encoder[3 * i + 1]
        for found, wanted in (
            (network.gradients.gains[i], norm.weight.grad),
            (network.gradients.shifts[i], norm.bias.grad),
        ):
            np.testing.assert_allclose(found, wanted, atol=1e-5)
    encoder.eval()
    with torch.no_grad():
        given = functional.normalize(encoder(torch.from_numpy(cells)))
    np.testing.assert_allclose(network.encode(cells), given, atol=1e-5)


@pytest.mark.parametrize("temperature", [0.03, 0.07, 1.0])
def test_loss_and_its_gradient_are_the_formulas_in_double_precision(temperature):
    rng = np.random.default_rng(4)
    z = (rng.standard_normal((38, 60)) + 0.5).astype(np.float32)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    whole = torch.from_numpy(z.astype(np.float64)).requires_grad_()
    similar = (whole @ whole.T / temperature).fill_diagonal_(-torch.inf)
    expected = functional.cross_entropy(similar, torch.arange(38).roll(19))
    expected.backward()
    loss, by = contrast(z, temperature)
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    np.testing.assert_allclose(by, whole.grad, atol=2e-6 / temperature)


def test_adam_is_pytorchs():
    rng = np.random.default_rng(0)
    weights = rng.standard_normal(50).astype(np.float32)
    theirs = torch.from_numpy(weights.copy()).requires_grad_()
    optimiser, moments = torch.optim.Adam([theirs], lr=0.4), np.zeros((2, 50), np.float32)
    for step in range(1, 8):
        # From tiny gradients, where the place of epsilon matters, to ordinary ones.
        gradients = (rng.standard_normal(50) * 10.0 ** rng.integers(-9, 1, 50)).astype(np.float32)
        torch_adam(weights, gradients, *moments, step, 0.4)
        theirs.grad = torch.from_numpy(gradients)
        optimiser.step()
    np.testing.assert_allclose(weights, theirs.detach(), rtol=1e-4, atol=1e-5)


def test_a_cell_without_a_count_has_zeros_and_changes_no_other():
    counts = np.random.default_rng(0).negative_binomial(1, 0.2, (30, 12))
    without = ContrastiveSc(epochs=3).impute(Observed.from_counts(counts), Context()).embedding
    spoilt = np.insert(counts, 5, 0, axis=0)
    found = ContrastiveSc(epochs=3).impute(Observed.from_counts(spoilt), Context()).embedding
    np.testing.assert_array_equal(found[5], 0)
    np.testing.assert_allclose(np.delete(found, 5, axis=0), without, atol=1e-5)


@pytest.mark.parametrize(
    ("n_cells", "parameters", "message"),
    [
        (21, {"batch_size": 20}, "21 cells .* batch_size=20 leave one over"),
        (1, {}, "no choice helps a single cell"),
        (2, {"n_hvg": 5}, "2 cells with counts are too few: 3 are needed, or n_hvg"),
    ],
)
def test_too_few_cells_are_refused_with_the_rule(n_cells, parameters, message):
    counts = np.random.default_rng(0).poisson(3, (n_cells, 12)) + 1
    with pytest.raises(InputError, match=message):
        ContrastiveSc(**parameters).impute(Observed.from_counts(counts), Context())
