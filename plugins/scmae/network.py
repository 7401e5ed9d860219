"""scMAE's network and its two losses (Fang, Zheng & Li 2024, section 2.1.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class ScmaeNetwork(nn.Module):
    """Encoder G – hidden – latent – latent; linear mask predictor; linear decoder.

    LayerNorm and Mish follow the encoder's first two layers, its last is linear, eq. (3). The
    decoder takes the embedding and the predicted mask side by side.
    """

    def __init__(self, n_genes: int, hidden: int, latent: int, probabilities: bool) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(n_genes, hidden), nn.LayerNorm(hidden), nn.Mish(),
            nn.Linear(hidden, latent), nn.LayerNorm(latent), nn.Mish(),
            nn.Linear(latent, latent),
        )  # fmt: skip
        self.mask_predictor = nn.Linear(latent, n_genes)
        self.decoder = nn.Linear(latent + n_genes, n_genes)
        self.probabilities = probabilities

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return embedding E, logits of the predicted mask M̃, and reconstruction X̃."""
        embedding = self.encoder(x)
        logits = self.mask_predictor(embedding)
        mask = torch.sigmoid(logits) if self.probabilities else logits
        return embedding, logits, self.decoder(torch.cat([embedding, mask], dim=1))


def reconstruction_loss(x: Tensor, reconstruction: Tensor, mask: Tensor, weight: float) -> Tensor:
    """L_r, equations (5) and (6), as the mean over entries.

    Parameters
    ----------
    x, reconstruction
        (cells, genes).
    mask
        M, 0 or 1 in the same type as `x`.
    weight
        λ for masked entries, 1 − λ for the others.
    """
    omega = mask * (2 * weight - 1) + (1 - weight)
    return (omega * (x - reconstruction).square()).mean()


def mask_loss(logits: Tensor, mask: Tensor, masked_only: bool) -> Tensor:
    """L_m as the mean over entries: binary cross-entropy, or equation (4) as it is printed.

    Parameters
    ----------
    logits
        Of M̃, (cells, genes).
    mask
        M, 0 or 1 in the same type as `logits`.
    masked_only
        Equation (4): −log M̃ at masked entries, nothing at the others.
    """
    if masked_only:
        return -(mask * functional.logsigmoid(logits)).mean()
    return functional.binary_cross_entropy_with_logits(logits, mask)
