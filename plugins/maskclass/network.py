"""The MaskClass autoencoder, sections 2.3 and 2.9: G – hidden – bottleneck – hidden – G."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from impbench_plugins.shared.torch_networks import draw_weights, single_thread
from numpy.typing import NDArray
from torch import Tensor, nn

if TYPE_CHECKING:
    from .training import MaskClassData, MaskClassSettings

_CELLS_PER_BLOCK = 1024


class MaskClassNetwork(nn.Module):
    """Encoder f_θ and decoder g_φ; each block is Linear, LayerNorm, SiLU, the last Linear alone."""

    def __init__(self, n_genes: int, hidden: int = 64, bottleneck: int = 32) -> None:
        super().__init__()
        self.encoder = nn.Sequential(*_block(n_genes, hidden), *_block(hidden, bottleneck))
        self.decoder = nn.Sequential(*_block(bottleneck, hidden), nn.Linear(hidden, n_genes))

    @classmethod
    def initial(cls, n_genes: int, settings: MaskClassSettings, seed: int) -> MaskClassNetwork:
        """Draw weights and biases from U(−1/√fan_in, 1/√fan_in), PyTorch's default, by `seed`."""
        network = cls(n_genes, settings.hidden, settings.bottleneck)
        draw_weights(network, torch.Generator().manual_seed(seed))
        return network

    def forward(self, scaled: Tensor) -> Tensor:
        """Return ŝ, the reconstruction of scaled values, (cells, genes)."""
        return self.decoder(self.encoder(scaled))  # type: ignore[no-any-return]

    def reconstruct(self, data: MaskClassData) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Run the uncorrupted data through the network.

        Returns
        -------
        X′ = invscale(ŝ), (cells, genes) on the log2 scale, and the bottleneck, (cells, bottleneck).
        """
        reconstruction = np.empty(data.lognorm.shape, dtype=np.float32)
        embedding = np.empty((data.n_cells, self.encoder[3].out_features), dtype=np.float32)
        with torch.no_grad(), single_thread():
            for start in range(0, data.n_cells, _CELLS_PER_BLOCK):
                cells = slice(start, start + _CELLS_PER_BLOCK)
                h = self.encoder(torch.from_numpy(data.scaler.scale(data.lognorm[cells])))
                embedding[cells] = h.numpy()
                reconstruction[cells] = data.scaler.invscale(self.decoder(h).numpy())
        return reconstruction, embedding


def _block(n_in: int, n_out: int) -> tuple[nn.Module, ...]:
    return nn.Linear(n_in, n_out), nn.LayerNorm(n_out), nn.SiLU()


def masked_loss(
    s_hat: Tensor, s: Tensor, zero: Tensor, mask: Tensor, settings: MaskClassSettings
) -> Tensor:
    """L_mask, section 2.5: squared error over masked entries, weighted by kind of entry.

    Parameters
    ----------
    s_hat, s
        Reconstruction and uncorrupted values, scaled, (cells, genes).
    zero, mask
        Which entries were observed as zero, and which were masked; boolean, same shape.
    """
    weight = mask * (zero * settings.w_bio + ~zero * settings.w_nz)
    return (weight * (s_hat - s).square()).sum() / weight.sum().clamp(min=1)


def biozero_loss(s_hat: Tensor, s0: Tensor, p_bio: Tensor) -> Tensor:
    """L_bio, section 2.5: likely biological zeros should come back as the gene's scaled zero.

    Parameters
    ----------
    s_hat
        Reconstruction, (cells, genes).
    s0
        Scaled zero of each gene, (genes,).
    p_bio
        (cells, genes), 0 at observed non-zeros.
    """
    return (p_bio * (s_hat - s0).square()).sum() / p_bio.sum().clamp(min=1)
