"""Ask how much noise is removed from technical controls, and how much signal is left in cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from impbench.data.dataset import Dataset
from impbench.data.known_columns import technical
from impbench.imputer import Imputed
from impbench.metrics.blocks import cell_blocks
from impbench.parameters import parameter
from impbench.protocols.molecules import deal
from impbench.protocols.protocol import Hidden, LazyEvidence, Problem, Protocol, observe
from impbench.protocols.thinning import needs_molecules
from impbench.scale import Matrix

LEAST = 3
"""Controls, and cells, that a group needs: a variance of two is hardly one."""

_NOT_SCORED = -1


@dataclass(frozen=True)
class TechnicalNoise(Protocol):
    """Show cells and technical controls together, and look at the variance within a group.

    Controls of a group (a label, such as the medium) are one pool of RNA split again and again:
    they differ by noise alone. Cells differ by noise and biology. With deviations from the group's
    mean, x observed and y imputed (log2), and sums over genes: the controls' variance of x is the
    noise T, the cells' C is noise and biology, B = C - T. A method leaves of the noise in the
    controls var(y) / T. What it keeps of the biology is (cov_cells(x, y) - cov_controls(x, y)) / B:
    the noise that a method lets through goes along with x in both, and drops out.
    """

    name: ClassVar[str] = "technical-noise"
    summary: ClassVar[str] = "Noise removed from technical controls, and signal kept in cells"
    reference: ClassVar[str] = "the controls of Grün et al. 2014, Nature Methods 11:637, as a truth"
    meaning: ClassVar[str] = (
        "Among the cells hide libraries of one pool of RNA, split many times, which differ by "
        "noise alone. Is noise taken out of these, and what single cells have of their own left in?"
    )
    purpose: ClassVar[str] = "technical noise"
    offers: ClassVar[Mapping[str, str]] = {
        "noise_moments": "x², x y and y² of every library's deviations, (cells, 3), see evidence()",
        "noise_control": "whether the library is a technical control, (cells,)",
        "noise_group": "number of the library's group, -1 where it is not scored, (cells,)",
        "group_means": "mean of every group's cells, observed and imputed, (2, groups, genes)",
    }

    depth: Literal["matched", "as-counted"] = parameter(
        "matched",
        "Thin the molecules of controls until they are as deep as cells, as deeper libraries have "
        "less noise; or leave them as counted.",
    )
    thin_seed: int = parameter(1, "Which molecules of the controls are left.", min=0)

    def obstacle(self, dataset: Dataset) -> str | None:
        """Controls and cells of one label, and molecules to thin, are needed."""
        controls = technical(dataset.cells)
        if controls is None:
            return (
                f"{dataset.name} has no technical controls; mark them as True in "
                "obs['technical'], and all cells as False"
            )
        if (_groups(dataset, controls) == _NOT_SCORED).all():
            return (
                f"no label of {dataset.name} has {LEAST} technical controls and {LEAST} cells; "
                "controls must bear the label of the cells that were pooled"
            )
        return needs_molecules(dataset) if self.depth == "matched" else None

    def pose(self, dataset: Dataset, seed: int) -> Problem:
        """Thin the controls, from `seed` and `thin_seed`; hide which they are."""
        controls = technical(dataset.cells)
        assert controls is not None, "obstacle() turns data without controls away"
        conventions = []
        if self.depth == "matched":
            share = matching_depth(dataset.library_size, controls)
            dataset, _ = deal(replace(dataset, true_counts=None), share, [seed, self.thin_seed])
            conventions.append(
                f"of every control {share[controls].min():.2f} to {share[controls].max():.2f} of "
                "the molecules were shown, so that controls are as deep as cells"
            )
        observed, _, convention = observe(replace(dataset, true_counts=None), "own")
        group = _groups(dataset, controls)
        moments = _moments(observed.lognorm, observed.lognorm, controls, group)
        noise = float(moments[controls, 0].sum())
        signal = float(moments[~controls, 0].sum()) - noise
        metrics = ["technical-noise-left"]
        left_out = {}
        if signal > 0:
            metrics = ["technical-error", *metrics, "technical-signal-error"]
            conventions.append(
                f"within a group cells vary by {signal + noise:.4g} log2² and controls by "
                f"{noise:.4g}, all genes together: {signal / (signal + noise):.0%} of the cells' "
                "variance is no noise"
            )
            conventions.append(
                f"technical-error is 1 if all cells are alike, {noise / signal:.2g} of cells as "
                f"they are, {noise / (signal + noise):.2g} if all are drawn to the mean just enough"
            )
        else:
            left_out["technical-error"] = "the cells vary no more than the controls: all is noise"
        if group.max() > 0:
            metrics.append("technical-groups-error")
        return Problem(
            observed,
            Hidden(extra={"noise_control": controls, "noise_group": group}),
            metrics=tuple(metrics),
            conventions=(convention, *conventions),
            left_out=left_out,
        )

    def evidence(self, problem: Problem, imputed: Imputed, seed: int) -> LazyEvidence:
        """Return ``noise_moments`` and ``group_means``.

        With x and y a library's deviations from the mean of its group's cells, or controls, the
        moments are Σ x², Σ x y and Σ y² over genes, divided by the number of cells (or controls)
        less that of groups: their sums over cells are variances.
        """
        controls = np.asarray(problem.hidden.extra["noise_control"])
        group = np.asarray(problem.hidden.extra["noise_group"])

        def moments() -> NDArray[np.float64]:
            return _moments(
                problem.observed.lognorm, imputed.lognorm(problem.observed), controls, group
            )

        def means() -> NDArray[np.float64]:
            chosen = [(group == one) & ~controls for one in range(group.max() + 1)]

            def of_groups(values: NDArray[np.float32]) -> NDArray[np.float64]:
                return np.stack([values[cells].mean(axis=0, dtype=np.float64) for cells in chosen])

            imputed_values = imputed.lognorm(problem.observed)
            return np.stack([of_groups(problem.observed.lognorm), of_groups(imputed_values)])

        return {"noise_moments": moments, "group_means": means}


def matching_depth(
    library_size: NDArray[np.float64], controls: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return which share of its molecules every library keeps, (cells,), 1 for all but controls.

    A control is brought down to the library size that has the same rank among the cells, where it
    lies above that.
    """
    share = np.ones(len(library_size))
    sizes = library_size[controls]
    rank = np.argsort(np.argsort(sizes, kind="stable"), kind="stable")
    like = np.quantile(library_size[~controls], (rank + 0.5) / len(sizes))
    share[controls] = np.minimum(1, like / np.maximum(sizes, 1))
    return share


def _groups(dataset: Dataset, controls: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the number of each library's group, (cells,), -1 where too few are alike."""
    label = np.zeros(dataset.n_cells, dtype="U1") if dataset.labels is None else dataset.labels
    found = np.full(dataset.n_cells, _NOT_SCORED)
    for name in np.unique(label):
        here = label == name
        if min((here & controls).sum(), (here & ~controls).sum()) >= LEAST:
            found[here] = found.max() + 1
    return found


def _moments(
    observed: Matrix, imputed: Matrix, controls: NDArray[np.bool_], group: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the moments that `TechnicalNoise.evidence` describes, 0 for what is not scored."""
    found = np.zeros((len(group), 3))
    n_groups = group.max() + 1
    for kind in (controls, ~controls):
        kind = kind & (group != _NOT_SCORED)
        for number in range(n_groups):
            rows = np.flatnonzero(kind & (group == number))
            x, y = observed[rows], imputed[rows]
            centres = x.mean(axis=0, dtype=np.float64), y.mean(axis=0, dtype=np.float64)
            start = 0
            for seen, filled in cell_blocks(x, y):
                at = rows[start : start + len(seen)]
                start += len(seen)
                seen -= centres[0]
                filled -= centres[1]
                for place, pair in enumerate(((seen, seen), (seen, filled), (filled, filled))):
                    found[at, place] = np.einsum("ij,ij->i", *pair)
        found[kind] /= kind.sum() - n_groups
    return found
