import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from impbench_plugins.cnnimpute.blocks import ConvolutionBlock, make_blocks


def data(n_cells=30, n_genes=14, seed=0, share=0.3):
    rng = np.random.default_rng(seed)
    values = rng.gamma(2, 2, (n_cells, n_genes))
    missing = rng.random(values.shape) < share
    values[missing] = 0
    return values, missing


def test_inputs_and_targets_are_laid_out_in_order_and_padded():
    block = ConvolutionBlock(np.array([4, 1, 7]), np.array([9, 2]), size=512, inputs_per_target=5)
    values, missing = data()
    inputs = block.input_values(values)
    assert inputs.shape == (30, 2560)
    assert inputs.dtype == np.float32
    np.testing.assert_allclose(inputs[:, :2], values[:, [9, 2]], rtol=1e-6)
    assert not inputs[:, 2:].any()
    targets = block.target_values(values, missing)
    assert targets.shape == (30, 512)
    here = missing[:, [4, 1, 7]]
    np.testing.assert_array_equal(targets[:, :3] == -1, here)
    np.testing.assert_allclose(targets[:, :3][~here], values[:, [4, 1, 7]][~here], rtol=1e-6)
    assert (targets[:, 3:] == -1).all()


def test_inputs_are_the_most_correlated_genes_of_each_target_without_repetition():
    values, missing = data()
    missing[:, [0, 5, 8]] = False  # No targets, and so inputs of every block.
    blocks = make_blocks(values, missing, size=4, inputs_per_target=2, max_missing=0.5)
    assert [list(block.targets) for block in blocks] == [[1, 2, 3, 4], [6, 7, 9, 10], [11, 12, 13]]
    for block in blocks:
        outside = [g for g in range(14) if g not in block.targets]
        named = []
        for target in block.targets:
            ranked = sorted(
                outside, key=lambda g: -np.corrcoef(values[:, g], values[:, target])[0, 1]
            )
            named += [gene for gene in ranked[:2] if gene not in named]
        assert list(block.inputs) == named
        assert block.input_length == 10


def test_genes_missing_in_too_many_cells_or_constant_are_no_inputs():
    values, missing = data(share=0.1)
    missing[:16, 3] = True  # 53 % of 30 cells.
    missing[:, 6], missing[:15, 6] = False, True  # Exactly half.
    values[:, 2], missing[:, 2] = 5.0, False
    blocks = make_blocks(values, missing, size=1, inputs_per_target=50, max_missing=0.5)
    first = next(block for block in blocks if block.targets[0] == 0)
    assert set(first.inputs) == set(range(1, 14)) - {2, 3}


def test_blocks_are_halved_until_each_has_a_gene_to_predict_it_from():
    values, missing = data(share=0.2)
    assert missing.any(axis=0).all()
    blocks = make_blocks(values, missing, size=512, inputs_per_target=5, max_missing=0.5)
    assert [len(block.targets) for block in blocks] == [7, 7]
    assert {block.size for block in blocks} == {7}
    # One gene without dropouts is enough for a block of full size.
    missing[:, 9] = False
    blocks = make_blocks(values, missing, size=512, inputs_per_target=5, max_missing=0.5)
    assert [len(block.targets) for block in blocks] == [13]
    assert list(blocks[0].inputs) == [9]
    assert blocks[0].input_length == 2560


def test_the_only_possible_input_is_itself_left_alone():
    values, missing = data(n_genes=3, share=0.2)
    missing[:20, :2] = True
    blocks = make_blocks(values, missing, size=512, inputs_per_target=5, max_missing=0.5)
    assert [list(block.targets) for block in blocks] == [[0], [1]]
    assert all(list(block.inputs) == [2] for block in blocks)


def test_without_dropouts_or_without_inputs_there_are_no_blocks():
    values, missing = data()
    assert make_blocks(values, np.zeros_like(missing), 512, 5, 0.5) == []
    assert make_blocks(values, np.ones_like(missing), 512, 5, 0.5) == []


@settings(max_examples=50, deadline=None)
@given(
    st.integers(2, 20), st.integers(1, 12), st.integers(1, 6), st.floats(0, 1), st.integers(0, 99)
)
def test_every_target_is_in_one_block_and_no_block_predicts_itself(genes, size, n, share, seed):
    values, missing = data(n_cells=12, n_genes=genes, seed=seed, share=share)
    blocks = make_blocks(values, missing, size, n, 0.5)
    targets = [gene for block in blocks for gene in block.targets]
    assert len(set(targets)) == len(targets)
    assert set(targets) <= set(np.flatnonzero(missing.any(axis=0)))
    for block in blocks:
        assert len(block.inputs) > 0
        assert len(set(block.inputs)) == len(block.inputs) <= block.input_length
        assert not set(block.inputs) & set(block.targets)
        assert len(block.targets) <= block.size <= max(size, 1)


@pytest.mark.parametrize("n_genes", [600, 1100])
def test_full_blocks_have_512_targets(n_genes):
    values, missing = data(n_cells=12, n_genes=n_genes, share=0.4)
    n_targets = int(missing.any(axis=0).sum())
    blocks = make_blocks(values, missing, 512, 5, 0.5)
    sizes = [len(block.targets) for block in blocks]
    assert sizes[:-1] == [512] * (n_targets // 512)
    assert sum(sizes) == n_targets
