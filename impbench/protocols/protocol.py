"""What a protocol is: it makes a problem from a dataset and names the metrics that answer it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from impbench import scale
from impbench.data.dataset import Dataset
from impbench.errors import InputError
from impbench.imputer import Imputed, Observed, Part
from impbench.parameters import Parametrised, parameter
from impbench.scale import Matrix

LazyEvidence = Mapping[str, Callable[[], Any]]
"""Evidence by the name of a metric's argument, each piece computed when it is called for."""


@dataclass(frozen=True)
class Hidden:
    """What the imputer never sees; it stays in the scoring process."""

    truth_counts: Matrix | None = None
    """(cells, genes), or None."""
    truth_size_factors: NDArray[np.float64] | None = None
    """(cells,) by which the true counts are divided, or None."""
    labels: NDArray[np.str_] | None = None
    """(cells,) cell types, or None."""
    batch: NDArray[np.str_] | None = None
    """(cells,) batches, or None."""
    extra: Mapping[str, Matrix] = field(default_factory=dict)
    """What else the protocol hides: arrays of numbers, booleans or strings, or sparse matrices.
    Metrics get those that `Protocol.offers` names."""

    def truth(self) -> Imputed | None:
        """Return the truth as the oracle would impute it, or None; the same array every time."""
        return self._truth

    def types(self) -> NDArray[np.str_]:
        """Return the labels, of a dataset that must have them for the question to be asked."""
        assert self.labels is not None, "obstacle() turns datasets without labels away"
        return self.labels

    @cached_property
    def _truth(self) -> Imputed | None:
        if self.truth_counts is None or self.truth_size_factors is None:
            return None
        expression = scale.lognorm(self.truth_counts, self.truth_size_factors)
        expression.flags.writeable = False
        return Imputed(expression, "lognorm")


@dataclass(frozen=True)
class Again:
    """Another imputation that a question needs, such as of half the cells or with another seed."""

    observed: Observed
    """What the imputer sees this time."""
    seed_shift: int = 0
    """Added to the job's seed."""


@dataclass(frozen=True)
class Problem:
    """One question about one dataset."""

    observed: Observed
    """What the imputer sees."""
    hidden: Hidden
    """What it never sees."""
    metrics: tuple[str, ...]
    """Names of the metrics that answer the question; cost metrics come by themselves."""
    conventions: tuple[str, ...] = ()
    """Sentences for the report: what was divided by what, what was masked."""
    again: Mapping[str, Again] = field(default_factory=dict)
    """Further imputations that the same imputer makes in the same job, by name (letters, digits
    and hyphens). Only the imputation of `observed` is timed."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Scores that could not be asked of this dataset, by name: why, and what it would take."""
    answers: Mapping[str, Imputed] = field(default_factory=dict)
    """What came of `again`, by the same names; there when `Protocol.evidence` is called."""


@dataclass(frozen=True)
class Protocol(Parametrised):
    """A way of asking the question; subclass it as a frozen dataclass, parameters as fields."""

    name: ClassVar[str]
    summary: ClassVar[str]
    reference: ClassVar[str] = ""
    meaning: ClassVar[str] = ""
    """The question in plain words, for readers who do not know its name: a sentence or two on what
    is done and what it says of a method. Empty: the summary."""
    purpose: ClassVar[str] = ""
    """What a user wants who cares for the answer, such as ``clustering``; the report's summary
    has a column for each. Empty: the protocol's name."""
    offers: ClassVar[Mapping[str, str]] = {}
    """Evidence that `evidence` or ``hidden.extra`` brings for metrics, beyond what every problem
    has (`impbench.protocols.evidence`): the name of a metric's argument, and one line on it."""

    @property
    def answered_from(self) -> tuple[Part, ...]:
        """Of what a method may give (`impbench.imputer.Imputer.gives`): one of these is enough.

        Who gives none of them is not asked.
        """
        return ("expression",)

    @property
    def serves(self) -> str:
        """The purpose; of a question that only embeddings answer one of its own.

        Who is not asked it must not stand there as one without an answer.
        """
        purpose = self.purpose or self.name
        return f"{purpose} (embeddings)" if self.answered_from == ("embedding",) else purpose

    @abstractmethod
    def obstacle(self, dataset: Dataset) -> str | None:
        """Say why this question cannot be asked of `dataset`; None when it can."""

    @abstractmethod
    def pose(self, dataset: Dataset, seed: int) -> Problem:
        """Make the problem; everything random in it comes from `seed`."""

    def evidence(self, problem: Problem, imputed: Imputed, seed: int) -> LazyEvidence:
        """Return what this protocol `offers` beyond ``problem.hidden.extra``, computed on demand.

        `seed` drives what is random in the evaluation, such as k-means starts.
        """
        return {}


@dataclass(frozen=True)
class LibraryProtocol(Protocol):
    """A question that can be asked under either library convention of `observe`."""

    library: Literal["own", "true"] = parameter(
        "own",
        "For simulated data: divide by the observed library sizes, or by the true ones, which the "
        "imputer is then handed.",
    )


def observe(dataset: Dataset, library: str) -> tuple[Observed, Hidden, str]:
    """Split a dataset into what may be seen and what is hidden, under a library convention.

    Parameters
    ----------
    dataset
        With or without truth.
    library
        ``"own"``: observed and true counts are each divided by their own library sizes, as a
        user's data would be; the imputer is given nothing that the truth determines. ``"true"``:
        both are divided by the true library sizes, as behind the MaskClass authors' numbers, so
        that kept values have error exactly 0. The imputer's size factors are then part of the
        truth. Without truth both mean the observed library sizes.

    Returns
    -------
    The observed view (cell names are replaced by numbers, which cannot give labels away), the
    hidden part, and the convention as a sentence.
    """
    if library not in ("true", "own"):
        raise InputError(f"library={library!r} is neither 'own' nor 'true'")
    true_size = dataset.true_library_size
    truth_factors = None if true_size is None else scale.size_factors(true_size)
    if truth_factors is not None and library == "true":
        factors = truth_factors
        convention = (
            "observed and true counts are both divided by the true library sizes: the imputer is "
            "handed these, a part of the truth"
        )
    elif truth_factors is not None:
        factors = dataset.size_factors
        convention = "observed and true counts are each divided by their own library sizes"
    else:
        factors = dataset.size_factors
        convention = "counts are divided by each cell's library size over the median library size"
    observed = Observed.from_counts(
        dataset.counts,
        size_factors=factors,
        gene_names=dataset.gene_names,
        batch=None if dataset.batch is None else list(dataset.batch),
        n_groups=dataset.n_groups,
    )
    hidden = Hidden(dataset.true_counts, truth_factors, dataset.labels, dataset.batch)
    return observed, hidden, convention
