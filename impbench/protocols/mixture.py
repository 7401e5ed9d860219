"""Ask whether cells that are known mixtures express what their proportions say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from impbench.data.dataset import Dataset
from impbench.data.known_columns import proportions
from impbench.imputer import Imputed
from impbench.parameters import parameter
from impbench.protocols.protocol import Hidden, LazyEvidence, Problem, Protocol, observe
from impbench.protocols.pure_profiles import contents, pool, pure_cells, variance_ratio, weights

LEAST_PURE = 4
"""Pure cells of each component: two to take a profile from, and two to show."""


@dataclass(frozen=True)
class Mixture(Protocol):
    """Hold back pure cells, and predict all others from the profiles of these.

    A cell whose RNA is mixed of k components with weights w expects the normalised counts
    m_g = Σ_c w_c P_cg, where P_c is the profile of component c: the mean of a mixture is linear in
    its parts. P comes from pure cells that no imputer is shown; w are the known proportions, times
    the RNA that a part of each component brings (`contents`). What is scored is how near
    log2(1 + imputed) comes to log2(1 + m), and whether the contrasts between cells are as large.
    """

    name: ClassVar[str] = "mixture"
    summary: ClassVar[str] = "Expected expression of cells that are known mixtures"
    reference: ClassVar[str] = "the design of Tian et al. 2019, Nature Methods 16:479, as a truth"
    meaning: ClassVar[str] = (
        "The cells are mixtures of pure lines in known proportions, so each should express the "
        "same mixture of what the lines express. Do the values, and differences between cells, "
        "come out as they should?"
    )
    purpose: ClassVar[str] = "mixtures"
    offers: ClassVar[Mapping[str, str]] = {
        "expressed_genes": "numbers of the genes that are scored, (expressed genes,)",
        "mixture_true": "log2 expectation of each shown cell, (cells, expressed genes)",
        "mixture_found": "imputed log2 values of the same, (cells, expressed genes)",
        "telling_genes": "whether the pure components surely differ in it, (expressed genes,)",
    }

    held: float = parameter(
        0.5, "Share of the pure cells held back to take the profiles from.", min=0.1, max=0.9
    )
    level: float = parameter(
        1.0,
        "Genes are scored whose profile reaches this normalised count in a component.",
        min=0.0,
    )
    telling: float = parameter(
        20.0,
        "Slopes are taken of genes with at least this F statistic between the pure cells held "
        "back; what chance adds to their contrasts is about a part in so many.",
        min=1.0,
    )
    split_seed: int = parameter(1, "Which pure cells are held back.", min=0)

    def obstacle(self, dataset: Dataset) -> str | None:
        """Mixtures, and pure cells of every component, are needed."""
        names, share = proportions(dataset.cells)
        if not names:
            return (
                f"{dataset.name} has no known mixtures; give the parts of each component as a data "
                "frame in obsm['mixture'], one column per pure component"
            )
        for name, cells in zip(names, pure_cells(share), strict=True):
            if len(cells) < LEAST_PURE:
                return (
                    f"{dataset.name} has {len(cells)} cells of {name!r} alone; {LEAST_PURE} pure "
                    "cells of every component are needed"
                )
        if (share.max(axis=1) < 1).sum() < 2:
            return f"the cells of {dataset.name} are all pure; two mixtures are needed"
        best = pool(dataset, pure_cells(share)).max(axis=0) * np.median(dataset.library_size)
        if (best >= self.level).sum() < 2:
            return f"{dataset.name} has no two genes with a mean of {self.level:g}; lower level"
        return None

    def pose(self, dataset: Dataset, seed: int) -> Problem:
        """Draw the pure cells to hold back from `seed` and `split_seed`."""
        rng = np.random.default_rng([seed, self.split_seed])
        names, share = proportions(dataset.cells)
        held = [self._draw(cells, rng) for cells in pure_cells(share)]
        kept = np.setdiff1d(np.arange(dataset.n_cells), np.concatenate(held))
        shown, share = dataset.of_cells(kept), share[kept]
        unit = np.median(shown.library_size)
        profiles = pool(dataset, held)
        content = contents(shown, share, profiles)
        by_weight = weights(share, content)
        expected = by_weight @ (profiles * unit)
        expressed = np.flatnonzero((profiles * unit).max(axis=0) >= self.level)
        telling = variance_ratio(dataset, held)[expressed] >= self.telling
        observed, _, convention = observe(shown, "own")
        halves = [[cells[i::2] for cells in held] for i in (0, 1)]
        chance = _chance(*(by_weight @ pool(dataset, half)[:, expressed] * unit for half in halves))
        metrics = ["mixture-error", "mixture-mse"]
        left_out = {}
        if telling.any():
            metrics += ["mixture-slope-error", "mixture-flattening", "mixture-sharpening"]
        else:
            left_out["mixture-slope-error"] = (
                f"no gene has an F statistic of {self.telling:g} between the pure cells held back; "
                "lower telling"
            )
        by_name = ", ".join(f"{name} {part:.2f}" for name, part in zip(names, content, strict=True))
        return Problem(
            observed,
            Hidden(
                # Without labels: filling zeros with constants is no bound of this question.
                truth_counts=(expected * observed.size_factors[:, None]).astype(np.float32),
                truth_size_factors=observed.size_factors,
                extra={"expressed_genes": expressed, "telling_genes": telling},
            ),
            metrics=tuple(metrics),
            conventions=(
                convention,
                f"{sum(map(len, held))} pure cells were held back and give the profiles; "
                f"{shown.n_cells} cells were shown and are scored",
                f"parts times RNA per part, as fitted to the mixtures: {by_name}",
                f"{len(expressed)} genes reach a normalised count of {self.level:g} in a profile; "
                f"slopes are of the {telling.sum()} of them that surely differ",
                "the oracle is the mixture of the profiles, an expectation; chance in the profiles "
                f"alone keeps a perfect method at a mixture-error of about {chance:.2g}",
            ),
            left_out=left_out,
        )

    def evidence(self, problem: Problem, imputed: Imputed, seed: int) -> LazyEvidence:
        """Return ``mixture_true`` and ``mixture_found``, (cells, expressed genes) float32."""
        genes = np.asarray(problem.hidden.extra["expressed_genes"])

        def true() -> NDArray[np.float32]:
            truth = problem.hidden.truth()
            assert truth is not None, "pose() hides the expectation as the truth"
            return np.asarray(truth.values)[:, genes]

        return {
            "mixture_true": cache(true),
            "mixture_found": cache(lambda: imputed.lognorm(problem.observed)[:, genes]),
        }

    def _draw(self, cells: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
        """Choose the cells to hold back: at least two, and two are left."""
        number = min(max(2, round(self.held * len(cells))), len(cells) - 2)
        return rng.permutation(cells)[:number]


def _chance(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the part of `mixture-error` that comes from chance in the profiles.

    Expectations from either half of the pure cells, (cells, genes): their difference has four times
    the variance of the mean of both.
    """
    one, other = (np.log2(1 + half) for half in (first, second))
    one, other = one - one.mean(axis=0), other - other.mean(axis=0)
    noise = np.square(one - other).sum() / 4
    signal = (one * other).sum()
    return float(noise / signal) if signal > 0 else float("nan")
