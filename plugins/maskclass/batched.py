"""MaskClass for many seeds at once, on any PyTorch device; made for a GPU, where one network idles.

R replicates of the network train side by side as batched matrix products. Random numbers are
hashes of seed, epoch, cell and gene, so a seed's result does not depend on its neighbours. On a GPU
the steps of a block of mini-batches are recorded once as a CUDA graph and replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from impbench_plugins.shared.torch_networks import single_thread
from torch import Tensor
from torch.nn import functional

from .network import MaskClassNetwork
from .training import MaskClassData, MaskClassSettings

_STEPS_PER_BLOCK = 64


def train_many(
    data: MaskClassData,
    settings: MaskClassSettings,
    seeds: Sequence[int],
    progress: Callable[[int, int], None],
    device: str = "cpu",
) -> list[tuple[MaskClassNetwork, list[float]]]:
    """Train one network per seed; see `fast.train` for what each result holds.

    Raises
    ------
    torch.OutOfMemoryError
        If the replicates do not fit the device together.
    """
    networks = [MaskClassNetwork.initial(data.n_genes, settings, seed) for seed in seeds]
    names = [name for name, _ in networks[0].named_parameters()]
    weights = {
        name: torch.stack([network.get_parameter(name).detach() for network in networks])
        .to(device)
        .requires_grad_()
        for name in names
    }
    corruption = BlockCorruption.of(data, settings, seeds, device)
    block = ReplicateBatches.empty(len(seeds), data, settings, device)
    steps = Steps(weights, block, corruption.s0, settings, device)
    n_cells, cells_per_block = data.n_cells, _STEPS_PER_BLOCK * settings.batch_size
    losses: list[Tensor] = []
    with single_thread():
        for epoch in range(settings.epochs):
            total = torch.zeros(len(seeds), device=device)
            order = corruption.order(epoch)
            for start in range(0, n_cells, cells_per_block):
                cells = order[:, start : start + cells_per_block]
                corruption.fill(block, cells, epoch)
                total += steps.run(cells.shape[1])
            losses.append(total / n_cells)
            progress(epoch + 1, settings.epochs)
    for name in names:
        for network, values in zip(networks, weights[name].detach().cpu(), strict=True):
            network.get_parameter(name).data.copy_(values)
    by_seed = torch.stack(losses).T.tolist()
    return list(zip(networks, by_seed, strict=True))


@dataclass(frozen=True)
class ReplicateBatches:
    """Some mini-batches of every replicate, (replicates, cells, genes) each: s̃, s, p_bio, w m."""

    s_tilde: Tensor
    s: Tensor
    p_bio: Tensor
    weight: Tensor

    @classmethod
    def empty(
        cls, n_seeds: int, data: MaskClassData, settings: MaskClassSettings, device: str
    ) -> ReplicateBatches:
        """Allocate room for a full block, or for all cells if they are fewer."""
        n_cells = min(data.n_cells, _STEPS_PER_BLOCK * settings.batch_size)
        shape = (n_seeds, n_cells, data.n_genes)
        return cls(*(torch.zeros(shape, device=device) for _ in range(4)))


@dataclass(frozen=True)
class BlockCorruption:
    """Section 2.5 for whole blocks: the data on the device and each replicate's random numbers."""

    s: Tensor
    p_bio: Tensor
    zero: Tensor
    q_low: Tensor
    q_high: Tensor
    slope: Tensor
    s0: Tensor
    max_count: Tensor
    keys: Tensor
    settings: MaskClassSettings

    @classmethod
    def of(
        cls,
        data: MaskClassData,
        settings: MaskClassSettings,
        seeds: Sequence[int],
        device: str,
    ) -> BlockCorruption:
        """Put the data on the device."""

        def put(values: Any) -> Tensor:
            return torch.as_tensor(values, dtype=torch.float32, device=device)

        scaler, seed = data.scaler, torch.tensor([_signed(s) for s in seeds], device=device)
        return cls(
            put(scaler.scale(data.lognorm)), put(data.p_bio), put(data.lognorm) == 0,
            put(scaler.q_low), put(scaler.q_high), put(scaler.slope), put(scaler.s0),
            put(data.max_count), hashed(seed), settings,
        )  # fmt: skip

    def order(self, epoch: int) -> Tensor:
        """Each replicate's random order of the cells, (replicates, cells)."""
        cells = torch.arange(len(self.s), device=self.s.device)
        return hashed(hashed(self.keys + epoch)[:, None] - 1 - cells).argsort(dim=1)

    def fill(self, block: ReplicateBatches, cells: Tensor, epoch: int) -> None:
        """Corrupt `cells`, (replicates, cells of the block), into the beginning of `block`."""
        p, n = self.settings, cells.shape[1]
        genes = torch.arange(self.s.shape[1], device=self.s.device)
        cell_key = hashed(hashed(self.keys + epoch)[:, None] + cells)
        bits = hashed(cell_key[:, :, None] + genes)
        s, zero, p_bio = self.s[cells], self.zero[cells], self.p_bio[cells]
        mask = _uniform(bits >> 40) < torch.where(zero, p.p_zero * p_bio, p.p_nonzero)
        noise = torch.log2(1 + p.nu * _uniform(bits) * self.max_count)
        noise = (noise.clamp(self.q_low, self.q_high) - self.q_low) * self.slope - 1
        block.s_tilde[:, :n] = torch.where(mask, torch.where(zero, noise, 0), s)
        block.s[:, :n], block.p_bio[:, :n] = s, p_bio
        block.weight[:, :n] = mask * torch.where(zero, p.w_bio, p.w_nz)


class Steps:
    """Training steps over a block's mini-batches; on a GPU, recorded per block length."""

    def __init__(
        self,
        weights: dict[str, Tensor],
        block: ReplicateBatches,
        s0: Tensor,
        settings: MaskClassSettings,
        device: str,
    ) -> None:
        self.weights, self.block, self.s0, self.settings = weights, block, s0, settings
        self.on_gpu = device != "cpu"
        self.optimizer = torch.optim.Adam(
            weights.values(), lr=settings.learning_rate, capturable=self.on_gpu
        )
        self.total = torch.zeros(block.s.shape[0], device=block.s.device)
        self.graphs: dict[int, torch.cuda.CUDAGraph] = {}

    def run(self, n_cells: int) -> Tensor:
        """Take the steps over the block's first `n_cells`; return the sum of loss × cells, (R,)."""
        if not self.on_gpu:
            self._steps(n_cells)
        else:
            if n_cells not in self.graphs:
                self.graphs[n_cells] = self._record(n_cells)
            self.graphs[n_cells].replay()
        return self.total

    def _steps(self, n_cells: int) -> None:
        self.total.zero_()
        for start in range(0, n_cells, self.settings.batch_size):
            batch = slice(start, min(start + self.settings.batch_size, n_cells))
            self.optimizer.zero_grad(set_to_none=not self.on_gpu)
            loss = self._loss(batch)
            loss.sum().backward()
            self.optimizer.step()
            self.total += loss.detach() * (batch.stop - batch.start)

    def _loss(self, batch: slice) -> Tensor:
        """L of every replicate's mini-batch, (replicates,)."""
        block, both = self.block, (1, 2)
        s_hat = self._forward(block.s_tilde[:, batch])
        weight, p_bio = block.weight[:, batch], block.p_bio[:, batch]
        loss = (weight * (s_hat - block.s[:, batch]).square()).sum(both)
        loss = loss / weight.sum(both).clamp(min=1)
        if self.settings.gamma:
            bio = (p_bio * (s_hat - self.s0).square()).sum(both) / p_bio.sum(both).clamp(min=1)
            loss = loss + self.settings.gamma * bio
        return loss

    def _forward(self, x: Tensor) -> Tensor:
        w = self.weights
        for linear, norm in (
            ("encoder.0", "encoder.1"), ("encoder.3", "encoder.4"), ("decoder.0", "decoder.1"),
        ):  # fmt: skip
            x = self._linear(linear, x)
            x = functional.layer_norm(x, x.shape[-1:])
            x = functional.silu(
                torch.addcmul(w[f"{norm}.bias"][:, None], x, w[f"{norm}.weight"][:, None])
            )
        return self._linear("decoder.3", x)

    def _linear(self, name: str, x: Tensor) -> Tensor:
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return torch.baddbmm(bias[:, None], x, weight.transpose(1, 2))

    def _record(self, n_cells: int) -> torch.cuda.CUDAGraph:
        """Record the steps; the warm-up CUDA graphs need must leave no trace in the training."""
        state = [*self.weights.values()]
        saved = [values.detach().clone() for values in state]
        moments = [
            {key: value.clone() for key, value in self.optimizer.state[values].items()}
            for values in state
        ]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            self._steps(min(n_cells, self.settings.batch_size))
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._steps(n_cells)
        with torch.no_grad():
            for values, before, moment in zip(state, saved, moments, strict=True):
                values.copy_(before)
                for key, value in self.optimizer.state[values].items():
                    value.copy_(moment[key]) if key in moment else value.zero_()
        return graph


def hashed(z: Tensor) -> Tensor:
    """64 random bits for each 64-bit integer: what splitmix64 puts out at that position."""
    z = (z + 1) * _signed(0x9E3779B97F4A7C15)
    z = (z ^ _shift(z, 30)) * _signed(0xBF58476D1CE4E5B9)
    z = (z ^ _shift(z, 27)) * _signed(0x94D049BB133111EB)
    return z ^ _shift(z, 31)


def _shift(z: Tensor, by: int) -> Tensor:
    """Shift right and fill with zeros, which >> on signed integers does not."""
    return (z >> by) & ((1 << (64 - by)) - 1)


def _uniform(bits: Tensor) -> Tensor:
    """Uniform numbers in [0, 1) from the low 24 bits."""
    return (bits & 0xFFFFFF).float() * 2.0**-24


def _signed(value: int) -> int:
    """The signed 64-bit integer with the same bits."""
    return (value + 2**63) % 2**64 - 2**63
