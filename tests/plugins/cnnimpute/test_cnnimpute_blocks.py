import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from impbench_plugins.cnnimpute.blocks import BlockRules, ConvolutionBlock, make_blocks

from impbench.errors import InputError


def rules(n_correlated=5, block_size=512, max_missing=0.5, repeats=True, halve=False):
    return BlockRules(n_correlated, block_size, max_missing, repeats, halve)


def data(n_cells=30, n_genes=14, seed=0, share=0.3):
    rng = np.random.default_rng(seed)
    values = rng.gamma(2, 2, (n_cells, n_genes))
    missing = rng.random(values.shape) < share
    values[missing] = 0
    return values, missing


def test_inputs_and_targets_are_laid_out_in_order_and_padded():
    block = ConvolutionBlock(np.array([4, 1, 7]), np.array([9, 2, 9]))
    values, missing = data()
    inputs = block.input_values(values, 2560)
    assert inputs.shape == (30, 2560)
    assert inputs.dtype == np.float32
    np.testing.assert_allclose(inputs[:, :3], values[:, [9, 2, 9]], rtol=1e-6)
    assert not inputs[:, 3:].any()
    targets = block.target_values(values, missing, 512)
    assert targets.shape == (30, 512)
    here = missing[:, [4, 1, 7]]
    np.testing.assert_array_equal(targets[:, :3] == -1, here)
    np.testing.assert_allclose(targets[:, :3][~here], values[:, [4, 1, 7]][~here], rtol=1e-6)
    assert (targets[:, 3:] == -1).all()


@pytest.mark.parametrize("repeats", [True, False])
def test_inputs_are_the_most_correlated_genes_of_each_target(repeats):
    values, missing = data()
    missing[:, [0, 5, 8]] = False  # No targets, and so inputs of every block.
    blocks = make_blocks(values, missing, rules(n_correlated=2, block_size=4, repeats=repeats))
    assert [list(block.targets) for block in blocks] == [[1, 2, 3, 4], [6, 7, 9, 10], [11, 12, 13]]
    for block in blocks:
        outside = [g for g in range(14) if g not in block.targets]
        named = []
        for target in block.targets:
            ranked = sorted(
                outside, key=lambda g: -np.corrcoef(values[:, g], values[:, target])[0, 1]
            )
            named += [gene for gene in ranked[:2] if repeats or gene not in named]
        assert list(block.inputs) == named


def test_genes_missing_in_too_many_cells_or_constant_are_no_inputs():
    values, missing = data(share=0.1)
    missing[:16, 3] = True  # 53 % of 30 cells.
    missing[:, 6], missing[:15, 6] = False, True  # Exactly half.
    values[:, 2], missing[:, 2] = 5.0, False
    blocks = make_blocks(values, missing, rules(n_correlated=50, block_size=1, repeats=False))
    first = next(block for block in blocks if block.targets[0] == 0)
    assert set(first.inputs) == set(range(1, 14)) - {2, 3}


def test_a_block_that_holds_every_possible_input_has_none():
    values, missing = data(share=0.2)
    assert missing.any(axis=0).all()
    (block,) = make_blocks(values, missing, rules())
    assert len(block.targets) == 14
    assert len(block.inputs) == 0
    # One gene without dropouts is named by every target.
    missing[:, 9] = False
    (block,) = make_blocks(values, missing, rules())
    assert list(block.inputs) == [9] * 13


def test_blocks_are_halved_on_demand_until_each_has_a_gene_to_be_predicted_from():
    values, missing = data(share=0.2)
    blocks = make_blocks(values, missing, rules(halve=True))
    assert [len(block.targets) for block in blocks] == [7, 7]
    assert all(len(block.inputs) == 35 for block in blocks)


def test_a_full_block_with_too_few_genes_outside_is_refused_as_the_program_fails():
    values, missing = data()
    missing[:, 11:] = False
    with pytest.raises(InputError, match=r"has 3 outside .* needs 5 .* smaller block_size"):
        make_blocks(values, missing, rules(block_size=11))
    # A short block is padded; so is any without repeats.
    assert len(make_blocks(values, missing, rules(block_size=12))[0].inputs) == 33
    assert len(make_blocks(values, missing, rules(block_size=11, repeats=False))[0].inputs) == 3


def test_without_dropouts_there_are_no_blocks():
    values, missing = data()
    assert make_blocks(values, np.zeros_like(missing), rules()) == []


@settings(max_examples=50, deadline=None)
@given(
    genes=st.integers(2, 20), size=st.integers(1, 12), n=st.integers(1, 6),
    share=st.floats(0, 1), seed=st.integers(0, 99), halve=st.booleans(),
)  # fmt: skip
def test_every_target_is_in_one_block_and_no_block_predicts_itself(
    genes, size, n, share, seed, halve
):
    values, missing = data(n_cells=12, n_genes=genes, seed=seed, share=share)
    chosen = rules(n, size, repeats=False, halve=halve)
    blocks = make_blocks(values, missing, chosen)
    targets = [gene for block in blocks for gene in block.targets]
    assert targets == list(np.flatnonzero(missing.any(axis=0)))
    for block in blocks:
        assert len(set(block.inputs)) == len(block.inputs)
        assert not set(block.inputs) & set(block.targets)
        assert len(block.targets) <= max(size, 1)


@pytest.mark.parametrize("n_genes", [600, 1100])
def test_full_blocks_have_512_targets(n_genes):
    values, missing = data(n_cells=12, n_genes=n_genes, share=0.4)
    n_targets = int(missing.any(axis=0).sum())
    sizes = [len(block.targets) for block in make_blocks(values, missing, rules())]
    assert sizes[:-1] == [512] * (n_targets // 512)
    assert sum(sizes) == n_targets
