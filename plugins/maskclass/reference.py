"""MaskClass in plain PyTorch: Algorithm 1 of the paper, line by line. `fast` must agree with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from impbench_plugins.shared.torch_networks import single_thread
from torch import Tensor

from .network import MaskClassNetwork, biozero_loss, masked_loss
from .training import MaskClassData, MaskClassSettings


@dataclass(frozen=True)
class Corruption:
    """Masking and noise of section 2.5, for mini-batches of one data set.

    Attributes
    ----------
    q_low, q_high, slope
        The gene scaling as one affine map between its bounds, (genes,) each.
    max_count
        max(c_max, 1), (genes,).
    """

    q_low: Tensor
    q_high: Tensor
    slope: Tensor
    max_count: Tensor
    settings: MaskClassSettings

    def __call__(
        self, s: Tensor, zero: Tensor, p_bio: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return s̃ and the mask m, given s, where x = 0, and p_bio; all (cells, genes)."""
        p = self.settings

        def uniform() -> Tensor:
            return torch.rand(s.shape, generator=generator, device=s.device)

        mask = uniform() < torch.where(zero, p.p_zero * p_bio, p.p_nonzero)
        noise = torch.log2(1 + p.nu * uniform() * self.max_count)
        noise = (noise.clamp(self.q_low, self.q_high) - self.q_low) * self.slope - 1
        return torch.where(mask, torch.where(zero, noise, 0), s), mask


def train(
    data: MaskClassData,
    settings: MaskClassSettings,
    seed: int,
    progress: Callable[[int, int], None],
    device: str = "cpu",
) -> tuple[MaskClassNetwork, list[float]]:
    """Train on every cell of `data`; see `fast.train`.

    Runs on one thread, so that the result does not depend on how many there are.
    """

    def put(values: object) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float32, device=device)

    generator = torch.Generator(device).manual_seed(seed)
    network = MaskClassNetwork.initial(data.n_genes, settings, seed).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
    scaler = data.scaler
    corrupt = Corruption(
        put(scaler.q_low), put(scaler.q_high), put(scaler.slope), put(data.max_count), settings
    )
    s, s0, p_bio = put(scaler.scale(data.lognorm)), put(scaler.s0), put(data.p_bio)
    zero = put(data.lognorm) == 0

    losses = []
    with single_thread():
        for epoch in range(settings.epochs):
            total = torch.zeros((), device=device)
            order = torch.randperm(data.n_cells, generator=generator, device=device)
            for batch in order.split(settings.batch_size):
                s_tilde, mask = corrupt(s[batch], zero[batch], p_bio[batch], generator)
                s_hat = network(s_tilde)
                loss = masked_loss(s_hat, s[batch], zero[batch], mask, settings)
                if settings.gamma:
                    loss = loss + settings.gamma * biozero_loss(s_hat, s0, p_bio[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.detach() * len(batch)
            losses.append(float(total) / data.n_cells)
            progress(epoch + 1, settings.epochs)
    return network.cpu(), losses
