"""What a conformance check is, and how one declares itself: a decorated function in one file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from unittest import SkipTest

from impbench.imputer import Imputer
from impbench.testing.subject import Subject, subject
from impbench.testing.violation import DoesNotApply, Violation

Verdict = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True)
class CheckResult:
    """How one imputer did in one check."""

    check: Check
    """Which one."""
    verdict: Verdict
    """``passed``, ``failed``, or ``skipped`` where the check does not apply."""
    message: str = ""
    """What was wrong, why it does not apply, or how it passed; may be empty when passed."""


@dataclass(frozen=True)
class Check:
    """One promise of the contract; call it with an imputer in a test."""

    name: str
    """Such as ``cell-order``."""
    promise: str
    """What a conforming imputer does, one sentence."""
    reason: str
    """Why it matters, one sentence."""
    remedy: str
    """What to change where it fails, one sentence."""
    examine: Callable[[Subject], str | None]

    def result(self, imputer: str | type[Imputer] | Imputer) -> CheckResult:
        """Examine an imputer, a class (with default parameters) or a spec; never raises for it.

        Raises
        ------
        NotFoundError, InputError
            If a spec names no imputer, or its parameters do not fit.
        """
        from impbench.registry import registry

        if isinstance(imputer, str):
            imputer = registry().real_imputer(imputer)
        try:
            message = self.examine(subject(imputer))
        except Violation as violation:
            return CheckResult(self, "failed", str(violation))
        except DoesNotApply as obstacle:
            return CheckResult(self, "skipped", str(obstacle))
        except (Exception, SystemExit) as error:
            text = f"{type(error).__name__}: {error}".removesuffix(": ")
            return CheckResult(self, "failed", f"raised {text}")
        return CheckResult(self, "passed", message or "")

    def __call__(self, imputer: str | type[Imputer] | Imputer) -> None:
        """Examine an imputer inside a test.

        Raises
        ------
        AssertionError
            If it fails; says what was wrong, why that matters and what to change.
        unittest.SkipTest
            If the check does not apply, which pytest shows as skipped.
        """
        result = self.result(imputer)
        if result.verdict == "skipped":
            raise SkipTest(result.message)
        if result.verdict == "failed":
            raise AssertionError(explain(result))


def explain(result: CheckResult) -> str:
    """Return a failed result in full: promise, finding, reason and remedy."""
    check = result.check
    return (
        f"{check.name}: {result.message}\n"
        f"  promise: {check.promise}\n  reason:  {check.reason}\n  remedy:  {check.remedy}"
    )


def check(*, reason: str, remedy: str) -> Callable[[Callable[[Subject], str | None]], Check]:
    """Make a function of a `Subject` a check; its name and docstring give name and promise.

    The function returns None or a remark when the imputer passes, and raises `Violation` or
    `DoesNotApply` otherwise.
    """

    def declare(examine: Callable[[Subject], str | None]) -> Check:
        name = examine.__name__.replace("_", "-")
        promise = (examine.__doc__ or "").strip().splitlines()[0]
        return Check(name, promise, reason, remedy, examine)

    return declare
