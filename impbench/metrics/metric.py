"""What a metric is, and how one declares itself: a decorated function in one file."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from impbench.metrics.cells import CellSums

Direction = Literal["min", "max"]

Bound = Literal["attainable", "ideal", "none"]
"""What a skill of 1 is; docs/skill.md says which metric has which, and why.

``attainable``: the score of the control of that name, which fills zeros as well as constants can;
where it did not run, the ideal value. ``ideal``: the ideal value, if finite. ``none``: there is no
skill, because the best value is not what the best imputation scores.
"""

EVIDENCE = {
    "imputed": "imputed expression, log2 scale, (cells, genes)",
    "imputed_counts": "imputed expression, count scale, (cells, genes)",
    "observed": "observed expression, log2 scale, (cells, genes)",
    "observed_counts": "observed counts, (cells, genes)",
    "truth": "true expression, log2 scale, (cells, genes)",
    "truth_counts": "true counts, (cells, genes)",
    "std": "standard deviation of the imputation, log2 scale, (cells, genes)",
    "labels": "true cell types, (cells,)",
    "batch": "batches, (cells,)",
    "components": "principal components of the imputation, (cells, components)",
    "clusters": "clusters found in the imputation, (cells,)",
    "embedding": "coordinates the method offers, (cells, dimensions)",
    "masked_counts": "counts taken away before the imputation, (cells, genes), sparse",
    "full_library_size": "library sizes before counts were taken away, (cells,)",
    "masked_truth": "counts taken away, on the protocol's log scale, (entries,)",
    "masked_imputed": "what was imputed for them, on the same scale, (entries,)",
    "test_counts": "molecules set aside, (cells, genes), sparse",
    "predicted_test": "imputed expression at the depth of the molecules set aside, (cells, genes)",
    "pit": "share of the predicted distribution below the truth, sampled entries, (entries,)",
    "interval_width": "width of the 90 % interval, log2 scale, same entries, (entries,)",
    "half": "random half each cell belongs to, 0 or 1, (cells,)",
    "other_seed": "imputed expression with another seed, log2 scale, (cells, genes)",
    "apart": "imputed expression, each half of the cells alone, log2 scale, (cells, genes)",
    "de_true": "whether a gene differs between a type and the other cells, (types, genes)",
    "lfc_true": "true log2 fold change of a type against the other cells, (types, genes)",
    "top_true": "sign of the true change for the largest, else 0, (types, genes)",
    "de_scores": "how strongly a gene was found to differ, 0 or more, (types, genes)",
    "lfc_found": "log2 fold change found in the imputation, (types, genes)",
    "top_found": "sign of the change found for the first in the ranking, else 0, (types, genes)",
    "gini_true": "Gini coefficient of each gene in the reference, NaN without one, (genes,)",
    "gini_found": "Gini coefficient of each gene's imputed normalised counts, (genes,)",
    "cv_true": "coefficient of variation within a type, in truth, NaN if undefined, (types, genes)",
    "cv_found": "the same in the imputation, NaN where the observed data have none, (types, genes)",
    "zeros_true": "share of the cells in which a gene is zero, in truth, (genes,)",
    "zeros_found": "the same in the imputation, (genes,)",
    "expression_bin": "bin of a gene by expression, 0 where it is silent, (genes,)",
    "rare_type": "name of the rarest cell type, (1,)",
    "markers_true": "first genes of the ranking in each type of the reference, (types, first)",
    "markers_found": "the same in the imputation, true types, (types, first)",
    "markers_clusters": "the same in the cluster matched to each type, -1 if none, (types, first)",
    "pair_correlations": "Pearson r of pairs of genes in the imputation, (pairs,)",
    "pair_correlations_true": "the same in truth, (pairs,), NaN where a gene is constant",
    "paired_genes": "numbers of the genes that are paired, (paired,)",
    "null_genes": "numbers of the genes without signal, (null genes,)",
    "group_p_values": "p values of genes without signal between found groups, (groups, null genes)",
    "random_p_values": "the same between two random halves of the cells, (2, null genes)",
    "type_p_values": "the same between the true cell types, (types, null genes)",
    "wall_seconds": "wall-clock seconds of the imputation",
    "cpu_seconds": "CPU seconds of the imputation, all threads and children",
    "peak_memory": "peak resident memory of the worker's process tree, bytes",
}
"""What a metric may ask for, by the names of its arguments."""


@dataclass(frozen=True)
class Metric:
    """A score: a pure function and what a reader must know of it.

    Attributes
    ----------
    name
        As in results, such as ``mse``.
    title
        As in the report, such as ``MSE``.
    direction
        ``"min"`` where smaller is better, ``"max"`` where larger is.
    unit
        Such as ``"log2²"`` or ``"s"``; empty for pure numbers.
    range
        Smallest and largest possible value.
    reference
        Where the definition stands.
    function
        Its argument names (see `EVIDENCE`) say what the metric needs.
    bound
        What a skill of 1 is.
    comparable
        Whether values of different datasets can be set side by side. Where not, as for a Poisson
        loss, whose size is that of the counts, the report shows differences to doing nothing.
    per_cell
        For a score that is a sum over cells divided by another: both sums of every cell, from
        arguments of `EVIDENCE`. Scoring then computes the score, and an interval, from these.
    root
        Whether the score is the square root of that ratio.
    """

    name: str
    title: str
    direction: Direction
    unit: str
    range: tuple[float, float]
    reference: str
    function: Callable[..., float]
    bound: Bound = "ideal"
    comparable: bool = True
    per_cell: Callable[..., CellSums] | None = None
    root: bool = False

    @property
    def needs(self) -> tuple[str, ...]:
        """What the function asks for, in its own order."""
        return tuple(inspect.signature(self.function).parameters)

    @property
    def cell_needs(self) -> tuple[str, ...]:
        """What `per_cell` asks for, in its own order; nothing where there is none."""
        return () if self.per_cell is None else tuple(inspect.signature(self.per_cell).parameters)

    @property
    def ideal(self) -> float:
        """The best possible value; infinite where there is none."""
        return self.range[0] if self.direction == "min" else self.range[1]

    @property
    def summary(self) -> str:
        """First line of the function's docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    def __call__(self, *args: Any, **kwargs: Any) -> float:
        """Compute the score from arrays."""
        return float(self.function(*args, **kwargs))


def metric(
    name: str,
    *,
    title: str,
    direction: Direction,
    range: tuple[float, float] = (-math.inf, math.inf),
    unit: str = "",
    reference: str = "",
    bound: Bound = "ideal",
    comparable: bool = True,
    per_cell: Callable[..., CellSums] | None = None,
    root: bool = False,
) -> Callable[[Callable[..., float]], Metric]:
    """Turn a function into a `Metric`; its argument names say what it needs.

    The other arguments are those of `Metric`. `bound` says what a skill of 1 is; the default, the
    end of `range`, is right wherever no imputation but a perfect one is sure to reach it.

    Raises
    ------
    TypeError
        If an argument of the function or of `per_cell` is not one of `EVIDENCE`.
    """

    def declare(function: Callable[..., float]) -> Metric:
        asked = set(inspect.signature(function).parameters)
        if per_cell is not None:
            asked |= set(inspect.signature(per_cell).parameters)
        if unknown := asked - set(EVIDENCE):
            raise TypeError(
                f"metric {name!r} asks for {sorted(unknown)}; it may ask for {sorted(EVIDENCE)}"
            )
        return Metric(
            name=name,
            title=title,
            direction=direction,
            unit=unit,
            range=range,
            reference=reference,
            function=function,
            bound=bound,
            comparable=comparable,
            per_cell=per_cell,
            root=root,
        )

    return declare
