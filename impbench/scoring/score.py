"""Score one imputation against what the imputer never saw.

Runs in a process of our own, never in the plugin's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impbench import large
from impbench.errors import InputError, NoExpressionError
from impbench.imputer import Imputed, Observed
from impbench.metrics.blocks import cell_blocks
from impbench.metrics.cells import CellSums, intervals, of_cells
from impbench.metrics.error import squared_errors
from impbench.metrics.metric import Metric
from impbench.protocols.components import first_components, principal_components
from impbench.protocols.protocol import Again, Problem, Protocol
from impbench.scoring.oddities import oddities
from impbench.scoring.picture import write_picture
from impbench.scoring.truth_file import reveal
from impbench.truth_control import ORACLE, TRUTH_CONTROLS
from impbench.worker.exchange import load_imputed, map_observed

COST_METRICS = ("wall-seconds", "cpu-seconds", "peak-memory")
PICTURE_CELLS = 1000
PICTURE_GENES = 4


@dataclass(frozen=True)
class ScoreRequest:
    """What the scoring process is asked.

    Attributes
    ----------
    view
        Folder of what the imputer saw.
    hidden
        Descriptor of what it did not see; see `impbench.scoring.truth_file`.
    output
        Folder `save_imputed` wrote, or None where a control that sees the truth answers.
    again
        The same for further imputations, by name: folder of the view and of the output.
    protocol
        Spec of the protocol.
    metrics
        Names of the metrics to compute, cost metrics included.
    cost
        ``wall_seconds``, ``cpu_seconds`` and ``peak_memory``.
    picture
        Where to write the sample for the figures, or None.
    control
        Name of the control in `impbench.truth_control` that answers without an `output`.
    """

    view: str
    hidden: int
    output: str | None
    again: dict[str, tuple[str, str]]
    protocol: str
    metrics: tuple[str, ...]
    seed: int
    cost: dict[str, float]
    picture: str | None
    control: str = ORACLE.name


@dataclass(frozen=True)
class ScoreReply:
    """What came of an imputation.

    Attributes
    ----------
    info
        What the imputer said of its fit.
    intervals
        95 % bounds of the scores that have them.
    notes
        What is odd about its values.
    """

    scores: dict[str, float]
    info: dict[str, Any]
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def score(request: ScoreRequest, protocol: Protocol, metrics: Mapping[str, Metric]) -> ScoreReply:
    """Check what the imputer returned and compute every metric.

    Raises
    ------
    InputError
        If the imputation is not what the contract promises (shape, finite values, scale).
    """
    asked = (request.control, request.view, request.hidden, request.protocol, request.metrics)
    if request.output is None and request.picture is None and asked in _seedless:
        return _seedless[asked]
    problem = _problem(request.view, request.hidden, request.metrics)
    if request.output is None:
        imputed = TRUTH_CONTROLS[request.control].impute(problem)
    else:
        imputed = load_imputed(Path(request.output))
    imputed.check(problem.observed)
    problem = _answered(problem, request.again)
    evidence = _evidence(problem, imputed, protocol, request.seed, request.cost)
    scores, bounds = _scores([metrics[name] for name in request.metrics], evidence)
    if request.picture is not None:
        write_picture(Path(request.picture), _picture(request.view, problem, imputed, evidence))
    notes = oddities(imputed, problem.observed, _largest(request.view))
    reply = ScoreReply(scores, imputed.info, bounds, notes)
    if request.output is None and type(protocol).evidence is Protocol.evidence:
        _seedless.clear()
        _seedless[asked] = reply
    return reply


_seedless: dict[tuple[Any, ...], ScoreReply] = {}
"""Of the last problem whose evaluation takes no seed: what a truth control scored, for others."""


def _scores(
    metrics: Sequence[Metric], evidence: Mapping[str, Callable[[], Any]]
) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """Compute every metric, and an interval for those that are added up over cells.

    What needs an expression is undefined (NaN) where a method gives only an embedding.
    """
    scores: dict[str, float] = {}
    sums: dict[Metric, CellSums] = {}
    for metric in metrics:
        needs = metric.needs if metric.per_cell is None else metric.cell_needs
        try:
            needed = {need: evidence[need]() for need in needs}
        except NoExpressionError:
            scores[metric.name] = math.nan
            continue
        if metric.per_cell is None:
            scores[metric.name] = metric(**needed)
        else:
            sums[metric] = metric.per_cell(**needed)
            scores[metric.name] = of_cells(sums[metric], metric.root)
        large.release(*needed.values())
    found = intervals(list(sums.values()), [metric.root for metric in sums])
    bounds = {
        metric.name: interval
        for metric, interval in zip(sums, found, strict=True)
        if interval is not None
    }
    return scores, bounds


def _answered(problem: Problem, again: Mapping[str, tuple[str, str]]) -> Problem:
    """Add every further imputation, checked, and what was seen for it."""
    views = {name: Again(_observed(view)) for name, (view, _) in again.items()}
    answers = {name: load_imputed(Path(output)) for name, (_, output) in again.items()}
    for name, answer in answers.items():
        answer.check(views[name].observed)
    return replace(problem, again=views, answers=answers)


@lru_cache(maxsize=1)
def _problem(view: str, hidden: int, metrics: tuple[str, ...]) -> Problem:
    """Put the problem together again; the last one is kept, with its truth on the log scale."""
    return Problem(_observed(view), reveal(hidden), metrics)


@lru_cache(maxsize=2)
def _observed(view: str) -> Observed:
    """Map what the imputer saw; protocols that show the same share it, and its logarithms."""
    return map_observed(Path(view))


@lru_cache(maxsize=2)
def _largest(view: str) -> float:
    """Return the largest observed value, log2 scale."""
    values = _observed(view).lognorm
    return max(float(values[rows].max(initial=0)) for rows in large.some_rows(values))


def _evidence(
    problem: Problem, imputed: Imputed, protocol: Protocol, seed: int, cost: Mapping[str, float]
) -> dict[str, Callable[[], Any]]:
    """Return all that a metric may ask for here, by name, each computed at most once."""
    observed, hidden = problem.observed, problem.hidden
    offers: dict[str, Callable[[], Any]] = {
        "imputed": lambda: imputed.lognorm(observed),
        "imputed_counts": lambda: imputed.counts(observed),
        "observed": lambda: observed.lognorm,
        "observed_counts": lambda: observed.counts,
        "truth": lambda: _required(hidden.truth(), "truth").values,
        "truth_counts": lambda: _required(hidden.truth_counts, "truth"),
        "squared_errors": lambda: squared_errors(
            offered["imputed"](), offered["truth"](), offered["observed"]()
        ),
        "std": lambda: _required(imputed.std, "a standard deviation"),
        "embedding": lambda: _required(imputed.embedding, "an embedding"),
        "labels": lambda: _required(hidden.labels, "labels"),
        "batch": lambda: _required(hidden.batch, "batches"),
        "wall_seconds": lambda: cost["wall_seconds"],
        "cpu_seconds": lambda: cost["cpu_seconds"],
        "peak_memory": lambda: cost["peak_memory"],
    }
    brought: dict[str, Callable[[], Any]] = {
        name: partial(hidden.extra.__getitem__, name) for name in hidden.extra
    }
    brought.update(protocol.evidence(problem, imputed, seed))
    for name in protocol.offers:
        offers[name] = brought.get(name, partial(_not_brought, protocol.name, name))
    offered: dict[str, Callable[[], Any]] = {name: cache(offer) for name, offer in offers.items()}
    return offered


def _not_brought(protocol: str, name: str) -> Any:
    raise InputError(
        f"the protocol {protocol!r} offers {name!r} but brings none for this problem, neither from "
        "evidence() nor in hidden.extra"
    )


def _required(value: Any, what: str) -> Any:
    if value is None:
        raise InputError(f"the metric needs {what}, which this problem or imputer does not have")
    return value


def _picture(
    view: str, problem: Problem, imputed: Imputed, evidence: Mapping[str, Callable[[], Any]]
) -> dict[str, NDArray[Any]]:
    """Sample what the figures show: a map of the cells, and four genes before and after.

    Without an expression there are no genes to show.
    """
    observed = problem.observed
    cells = np.random.default_rng(0).permutation(observed.n_cells)[:PICTURE_CELLS]
    cells.sort()
    arrays: dict[str, NDArray[Any]] = {"map": _map(imputed, evidence, cells)}
    if imputed.expression is not None:
        genes = _telling_genes(view)
        arrays["gene_names"] = np.asarray(
            [observed.gene_names[gene] for gene in genes], dtype=np.str_
        )
        arrays["observed"] = observed.lognorm[np.ix_(cells, genes)]
        arrays["imputed"] = np.asarray(evidence["imputed"]())[np.ix_(cells, genes)]
        if problem.hidden.truth_counts is not None:
            arrays["truth"] = evidence["truth"]()[np.ix_(cells, genes)]
    if problem.hidden.labels is not None:
        arrays["labels"] = problem.hidden.labels[cells]
    return arrays


def _map(
    imputed: Imputed, evidence: Mapping[str, Callable[[], Any]], cells: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Return two coordinates of each of some cells: the first two principal components.

    They are those of all cells where the protocol has found them, else of the cells shown.
    """
    if imputed.expression is None:
        # Its own coordinates need not be in any order.
        components: Any = principal_components(np.asarray(imputed.embedding), 2)[cells]
    elif "components" in evidence:
        components = evidence["components"]()[cells]
    else:
        components = first_components(evidence["imputed"]()[cells], 2)
    components = np.asarray(components, dtype=np.float32)[:, :2]
    return np.pad(components, ((0, 0), (0, 2 - components.shape[1])))


@lru_cache(maxsize=2)
def _telling_genes(view: str) -> NDArray[np.intp]:
    """Genes with zeros and signal, most variable first; chosen from the observed data alone."""
    observed = _observed(view)
    expressing, sums, squares = np.zeros((3, observed.n_genes))
    for (values,) in cell_blocks(observed.lognorm):
        expressing += np.count_nonzero(values, axis=0)
        sums += values.sum(axis=0)
        squares += np.einsum("ij,ij->j", values, values)
    zeros = 1 - expressing / observed.n_cells
    variance = squares / observed.n_cells - (sums / observed.n_cells) ** 2
    order = np.lexsort((-variance, ~((zeros > 0.2) & (zeros < 0.8))))
    return order[:PICTURE_GENES]
