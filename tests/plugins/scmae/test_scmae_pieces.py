import numpy as np
import pytest
import torch
from impbench_plugins.scmae.network import ScmaeNetwork, mask_loss, reconstruction_loss
from impbench_plugins.scmae.training import ScmaeSettings, exchange, run, shuffle_genes
from impbench_plugins.shared.torch_networks import draw_weights


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_drawn_share_is_p_in_every_gene_and_cell():
    x = torch.zeros(2000, 300)
    _, mask = exchange(x, x, 0.4, "drawn", generator())
    assert abs(mask.mean() - 0.4) < 4 * (0.24 / mask.numel()) ** 0.5
    assert (mask.mean(0) - 0.4).abs().max() < 6 * (0.24 / 2000) ** 0.5
    assert (mask.mean(1) - 0.4).abs().max() < 6 * (0.24 / 300) ** 0.5


def test_masked_entries_take_the_other_value_and_the_rest_stays():
    x, other = torch.arange(12.0).reshape(3, 4), -torch.arange(12.0).reshape(3, 4) - 1
    corrupted, mask = exchange(x, other, 0.5, "drawn", generator())
    assert 0 < mask.sum() < 12
    torch.testing.assert_close(corrupted, mask * other + (1 - mask) * x)


def test_changed_leaves_out_entries_that_got_an_equal_value():
    x = torch.tensor([[1.0, 0.0], [2.0, 0.0]])
    other = x.flip(0)
    for p, target, expected in (
        (1.0, "drawn", [[1, 1], [1, 1]]), (1.0, "changed", [[1, 0], [1, 0]]),
        (0.0, "drawn", [[0, 0], [0, 0]]), (0.0, "changed", [[0, 0], [0, 0]]),
    ):  # fmt: skip
        _, mask = exchange(x, other, p, target, generator())
        assert mask.tolist() == expected


def test_shuffling_keeps_the_values_of_each_gene_and_gives_each_an_order_of_its_own():
    x = torch.arange(200.0)[:, None] + 1000 * torch.arange(150.0)
    shuffled = shuffle_genes(x, generator())
    torch.testing.assert_close(shuffled.sort(dim=0).values, x)
    orders = (shuffled - 1000 * torch.arange(150.0)).T
    assert len({tuple(order.tolist()) for order in orders}) == 150
    assert (shuffled == x).float().mean() < 0.02


def test_batch_shuffling_takes_whole_cells_of_the_same_batch(monkeypatch):
    seen = []

    def record(x, other, *rest):
        seen.append((x, other))
        return exchange(x, other, *rest)

    monkeypatch.setattr("impbench_plugins.scmae.training.exchange", record)
    x = np.arange(70, dtype=np.float32).reshape(7, 10)
    run(x, np.arange(7), ScmaeSettings(epochs=2, batch_size=3), 1, lambda *_: None)
    # Two full batches of three in each of two epochs; the seventh cell waits.
    assert [len(batch) for batch, _ in seen] == [3, 3, 3, 3]
    for batch, other in seen:
        assert {tuple(row.tolist()) for row in batch} == {tuple(row.tolist()) for row in other}
    left_out = [{*range(0, 70, 10)} - {int(row[0]) for b, _ in seen[i : i + 2] for row in b}
                for i in (0, 2)]  # fmt: skip
    assert all(len(cells) == 1 for cells in left_out)


@pytest.mark.parametrize(("few_cells", "sizes"), [("one-batch", [20, 20, 20]), ("untrained", [])])
def test_fewer_cells_than_a_batch_make_one_of_all_or_as_published_none(
    monkeypatch, few_cells, sizes
):
    seen = []

    def record(x, *rest):
        seen.append(len(x))
        return exchange(x, *rest)

    monkeypatch.setattr("impbench_plugins.scmae.training.exchange", record)
    x = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)
    settings = ScmaeSettings(epochs=3, few_cells=few_cells)
    fit = run(x, np.arange(20), settings, 1, lambda *_: None)
    assert seen == sizes
    assert fit.steps == len(sizes)
    start = ScmaeNetwork(6, 256, 128, probabilities=False)
    draw_weights(start, generator(1))
    untrained = start.encoder(torch.from_numpy(x)).detach().numpy()
    assert np.allclose(fit.embedding, untrained, atol=1e-5) == (few_cells == "untrained")
    assert (fit.mask_loss is None) == (few_cells == "untrained")


def test_cells_that_are_not_trained_on_are_encoded_all_the_same():
    x = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)
    few = run(x, np.arange(12), ScmaeSettings(epochs=3), 1, lambda *_: None)
    alone = run(x[:12], np.arange(12), ScmaeSettings(epochs=3), 1, lambda *_: None)
    np.testing.assert_allclose(few.embedding[:12], alone.embedding, atol=1e-5)
    assert few.embedding.shape == (20, 128)
    assert few.mask_loss == alone.mask_loss


def test_reconstruction_weighs_masked_entries_by_lambda():
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    reconstruction = torch.tensor([[2.0, 4.0], [3.0, 1.0]])
    mask = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    # 0.75 (1² + 3²) + 0.25 (2² + 0²), over four entries.
    loss = reconstruction_loss(x, reconstruction, mask, 0.75)
    assert float(loss) == pytest.approx((0.75 * 10 + 0.25 * 4) / 4)


def test_mask_losses_are_the_cross_entropies():
    logits, mask = torch.tensor([[0.0, 2.0, -1.0]]), torch.tensor([[1.0, 0.0, 1.0]])
    m = 1 / (1 + np.exp(-logits.numpy()))
    masked = -np.log(m[0, 0]) - np.log(m[0, 2])
    assert float(mask_loss(logits, mask, True)) == pytest.approx(masked / 3)
    both = masked - np.log(1 - m[0, 1])
    assert float(mask_loss(logits, mask, False)) == pytest.approx(both / 3)


@pytest.mark.parametrize("n_genes", [7, 1000])
def test_architecture_is_1000_256_128_128_with_linear_predictor_and_decoder(n_genes):
    network = ScmaeNetwork(n_genes, 256, 128, probabilities=False)
    kinds = [type(layer).__name__ for layer in network.encoder]
    assert kinds == ["Linear", "LayerNorm", "Mish", "Linear", "LayerNorm", "Mish", "Linear"]
    encoder = (n_genes + 1) * 256 + 2 * 256 + 257 * 128 + 2 * 128 + 129 * 128
    heads = 129 * n_genes + (128 + n_genes + 1) * n_genes
    assert sum(p.numel() for p in network.parameters()) == encoder + heads
    embedding, logits, reconstruction = network(torch.zeros(3, n_genes))
    assert embedding.shape == (3, 128)
    assert logits.shape == reconstruction.shape == (3, n_genes)


@pytest.mark.parametrize("probabilities", [False, True])
def test_decoder_sees_the_embedding_and_the_predicted_mask(probabilities):
    network = ScmaeNetwork(5, 8, 4, probabilities)
    draw_weights(network, generator())
    embedding, logits, reconstruction = network(torch.randn(6, 5, generator=generator()))
    mask = 1 / (1 + torch.exp(-logits)) if probabilities else logits
    weight, bias = network.decoder.weight, network.decoder.bias
    expected = embedding @ weight[:, :4].T + mask @ weight[:, 4:].T + bias
    torch.testing.assert_close(reconstruction, expected)


def test_weights_start_as_pytorch_starts_them():
    network = ScmaeNetwork(400, 256, 128, probabilities=False)
    draw_weights(network, generator())
    for layer in (network.encoder[0], network.decoder):
        bound = layer.in_features**-0.5
        assert layer.weight.abs().max() <= bound
        assert layer.weight.std().item() / bound == pytest.approx(3**-0.5, rel=0.02)
        assert layer.bias.abs().max() <= bound
