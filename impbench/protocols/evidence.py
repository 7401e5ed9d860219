"""What a metric may ask for, by the names of its arguments, and the checks that somebody offers it.

Every problem has the evidence listed here. All other evidence is declared by the protocols that
bring it, ours and strangers' alike, in `impbench.protocols.protocol.Protocol.offers`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from impbench.errors import InputError
from impbench.lookup import nearest
from impbench.metrics.metric import Metric

OF_EVERY_PROBLEM = {
    "imputed": "imputed expression, log2 scale, (cells, genes)",
    "imputed_counts": "imputed expression, count scale, (cells, genes)",
    "observed": "observed expression, log2 scale, (cells, genes)",
    "observed_counts": "observed counts, (cells, genes)",
    "truth": "true expression, log2 scale, (cells, genes)",
    "truth_counts": "true counts, (cells, genes)",
    "squared_errors": "squared errors over each cell, by kind of entry: `impbench.metrics.error`",
    "std": "standard deviation of the imputation, log2 scale, (cells, genes)",
    "embedding": "coordinates the method offers, (cells, dimensions)",
    "labels": "true cell types, (cells,)",
    "batch": "batches, (cells,)",
    "wall_seconds": "wall-clock seconds of the imputation",
    "cpu_seconds": "CPU seconds of the imputation, all threads and children",
    "peak_memory": "peak resident memory of the worker's process tree, bytes",
}
"""Truth, labels, batches, standard deviation and embedding only where there are any."""


OF_SOME_IMPUTERS = ("std", "embedding")
"""Evidence that an imputer may give or not, whatever the problem."""

OF_SOME_PROBLEMS = ("truth", "truth_counts", "squared_errors", "labels", "batch")
"""Evidence that a problem may have or not, whoever answers."""


def check_offers(protocol: str, offers: Any) -> None:
    """Check what a protocol declares to offer; done when the protocol is registered.

    Raises
    ------
    InputError
        If a name cannot be that of an argument, is one of `OF_EVERY_PROBLEM`, or has no line of
        description.
    """
    if not isinstance(offers, Mapping):
        raise InputError(
            f"the protocol {protocol!r} has offers of type {type(offers).__name__}; expected a "
            "dict, the name of each piece of evidence with one line that describes it"
        )
    for name, line in offers.items():
        what = f"the protocol {protocol!r} offers {name!r}"
        if not isinstance(name, str) or not name.isidentifier():
            raise InputError(f"{what}, which cannot be the name of a metric's argument")
        if name in OF_EVERY_PROBLEM:
            raise InputError(f"{what}, which every problem has already; choose another name")
        if not isinstance(line, str) or not line.strip() or "\n" in line:
            raise InputError(f"{what} without one line of text that describes it")


def check_needs(metric: Metric, offered: Iterable[str], protocol: str | None = None) -> None:
    """Check that what `metric` needs is among what is `offered` beyond `OF_EVERY_PROBLEM`.

    Parameters
    ----------
    protocol
        The one that names the metric, whose offers these are; None if they are those of all.

    Raises
    ------
    InputError
        If it is not; names the metric, what it needs, and what there is.
    """
    known = [*OF_EVERY_PROBLEM, *offered]
    for need in dict.fromkeys((*metric.needs, *metric.cell_needs)):
        if need in known:
            continue
        near = nearest(need, known)
        guess = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        if protocol is None:
            lack, remedy = "which no protocol offers", "load the plugin of one that does (--plugin)"
        else:
            lack = f"which the protocol {protocol!r}, which names this metric, does not offer"
            remedy = "declare it in offers, and bring it from evidence() or in hidden.extra"
        raise InputError(
            f"the metric {metric.name!r} needs {need!r}, {lack}{guess} "
            f"({remedy}). There is: {', '.join(known)}"
        )
