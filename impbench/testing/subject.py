"""The imputer under examination, with the runs that several checks share."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impbench.context import Context
from impbench.errors import InputError
from impbench.gives import only_embedding
from impbench.imputer import Imputed, Imputer, Observed
from impbench.per_batch import is_alone
from impbench.runner.separate_process import needs_environment
from impbench.testing.example import example_counts, observe
from impbench.testing.violation import DoesNotApply, NotExamined, Violation

ROUNDING = 1e-4
"""Relative difference that a changed order of floating-point additions may make."""


@dataclass
class Subject:
    """One imputer, and what it returned on the example data."""

    imputer: Imputer
    raised: BaseException | None = None
    """What `impute` raised for the example data, once that is known."""
    fault: str = ""
    """The same, or why what it returned is not valid. One fault is one failure: checks that name
    it fail, and those that would only run into it again are not examined."""

    @cached_property
    def prepared(self) -> Imputer:
        """The imputer after `prepare`, as the runner calls it; `DoesNotApply` if it cannot run."""
        if lack := self.imputer.unavailable():
            raise DoesNotApply(f"unavailable here: {lack}")
        if is_alone(self.imputer):
            raise DoesNotApply("imputes batch by batch what these checks show whole: leave out per")
        if needs_environment(self.imputer):
            raise DoesNotApply("runs in an environment of its own, these checks run here")
        with tempfile.TemporaryDirectory(prefix="impbench-") as scratch, hushed():
            self.imputer.prepare(Context(scratch=Path(scratch)))
        return self.imputer

    def impute(
        self,
        observed: Observed | None = None,
        *,
        seed: int = 1,
        threads: int = 1,
        on_progress: Callable[[int, int], None] | None = None,
        scratch: Path | None = None,
        hush: bool = True,
    ) -> Imputed:
        """Impute `observed`, by default a fresh copy of the example data, in a fresh scratch."""
        self.must_have_no_fault()
        imputer = self.prepared
        if observed is None:
            observed = observe(example_counts())
        with contextlib.ExitStack() as stack:
            if scratch is None:
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="impbench-"))
                scratch = Path(folder)
            if hush:
                stack.enter_context(hushed())
            context = Context(seed=seed, threads=threads, scratch=scratch, on_progress=on_progress)
            return imputer.impute(observed, context)

    def must_have_no_fault(self) -> None:
        """Raise `NotExamined` once the example data are known not to come back valid."""
        if self.fault:
            raise NotExamined

    @cached_property
    def result(self) -> Imputed:
        """What comes of the example data with seed 1; whatever type that is."""
        if self.raised is not None:
            raise self.raised
        try:
            result = self.impute()
        except DoesNotApply:
            raise
        except (Exception, SystemExit) as error:
            self.raised, self.fault = error, f"raised {error!r}"
            raise
        try:
            must_be_valid(result, observe(example_counts()), self.imputer.gives)
        except Violation as violation:
            self.fault = str(violation)
        return result

    @cached_property
    def by_seed(self) -> list[NDArray[np.float32]]:
        """What `values_of` gives for seeds 1, 2 and 3 on the example data."""
        self.must_have_no_fault()
        results = [self.result, *(self.impute(seed=seed) for seed in (2, 3))]
        return [self.values_of(result) for result in results]

    def values_of(self, imputed: Imputed, observed: Observed | None = None) -> NDArray[np.float32]:
        """Return what is compared: valid log values, (cells, genes), or else the embedding.

        Raises
        ------
        Violation
            If the result is not valid.
        """
        observed = observed or observe(example_counts())
        must_be_valid(imputed, observed, self.imputer.gives)
        if self.gives_expression:
            return imputed.lognorm(observed)
        return np.asarray(imputed.embedding, dtype=np.float32)

    def imputed_values(
        self, observed: Observed | None = None, seed: int = 1, threads: int = 1
    ) -> NDArray[np.float32]:
        """Impute and return `values_of` what comes of it."""
        return self.values_of(self.impute(observed, seed=seed, threads=threads), observed)

    def must_equal(
        self, values: NDArray[np.float32], what: str, tolerance: float = ROUNDING
    ) -> None:
        """Raise `Violation` where `values` are not those of the example data with seed 1."""
        difference = largest_difference(values, self.by_seed[0])
        if difference > tolerance:
            raise Violation(f"{what} changed the result by up to {difference:.2g} (relative)")

    @property
    def gives_expression(self) -> bool:
        """Whether the method gives more than an embedding."""
        return not only_embedding(self.imputer.gives)

    def must_give_expression(self) -> None:
        """Raise `DoesNotApply` for a method that gives only an embedding."""
        if not self.gives_expression:
            raise DoesNotApply("gives only an embedding, no expression")

    def valid_or_refused(self, observed: Observed) -> str | None:
        """Impute data at the edge of what is possible; `Violation` if the result is not valid.

        Returns
        -------
        None where the result is valid, a remark where the imputer refuses with an `InputError`.
        """
        try:
            imputed = self.impute(observed)
        except InputError as refusal:
            return f"refuses: {refusal}"
        must_be_valid(imputed, observed, self.imputer.gives)
        return None


def subject(imputer: type[Imputer] | Imputer) -> Subject:
    """Return the subject for an imputer or a class; the latest ones keep their runs."""
    if isinstance(imputer, type):
        imputer = imputer()
    for known in _latest:
        same_class = type(known.imputer) is type(imputer)
        if same_class and known.imputer.parameters() == imputer.parameters():
            return known
    _latest.insert(0, Subject(imputer))
    del _latest[4:]
    return _latest[0]


_latest: list[Subject] = []


def must_be_valid(imputed: Imputed, observed: Observed, gives: Sequence[str]) -> None:
    """Raise `Violation` unless `imputed` is what the contract says, and holds what its class gives.

    Parameters
    ----------
    observed
        What was imputed.
    """
    if not isinstance(imputed, Imputed):
        raise Violation(f"returned {type(imputed).__name__} instead of impbench.Imputed")
    try:
        imputed.must_hold(gives)
        imputed.check(observed)
    except InputError as error:
        raise Violation(str(error)) from error


def largest_difference(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Return the largest |a − b| relative to 1 + |b|; infinite where the shapes differ."""
    if a.shape != b.shape:
        return float("inf")
    return float(np.max(np.abs(a - b) / (1 + np.abs(b)), initial=0))


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Keep what an imputer prints out of the test's output; `quiet-stdout` looks for it."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
