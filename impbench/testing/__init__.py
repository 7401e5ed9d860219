"""A conformance suite for imputers, as scikit-learn's for estimators: named checks with remedies.

In a plugin's own tests::

    from impbench.testing import parametrize_checks


    @parametrize_checks(["my-method"])
    def test_conformance(imputer, check):
        check(imputer)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from impbench.errors import ImpbenchError
from impbench.testing.check import Check, CheckResult, explain

if TYPE_CHECKING:
    from impbench.imputer import Imputer

__all__ = [
    "Check",
    "CheckResult",
    "ConformanceError",
    "check_imputer",
    "checks",
    "parametrize_checks",
]


class ConformanceError(ImpbenchError, AssertionError):
    """An imputer breaks promises of the contract; `results` holds every check's outcome."""

    def __init__(self, message: str, results: Sequence[CheckResult]) -> None:
        super().__init__(message)
        self.results = tuple(results)


def checks() -> list[Check]:
    """Return every check, in the order in which they are run."""
    from impbench.testing import conduct, declaration, edge_cases, outcome, randomness, symmetry

    families = (declaration, outcome, randomness, symmetry, edge_cases, conduct)
    items = (item for family in families for item in vars(family).values())
    return [item for item in items if isinstance(item, Check)]


def check_imputer(
    imputer: str | type[Imputer] | Imputer,
    *,
    on_fail: Literal["raise", "collect"] = "raise",
) -> list[CheckResult]:
    """Run every check on one imputer.

    Parameters
    ----------
    imputer
        A spec such as ``"magic[t=5]"``, a class (examined with its default parameters), or an
        imputer.
    on_fail
        ``"collect"`` returns failures like all other results.

    Returns
    -------
    One result per check, in order.

    Raises
    ------
    ConformanceError
        If a check fails and `on_fail` is ``"raise"``, after all of them have run; says for each
        what was wrong, why it matters and what to change.
    """
    results = [check.result(imputer) for check in checks()]
    failed = [result for result in results if result.verdict == "failed"]
    if failed and on_fail == "raise":
        text = "\n".join(explain(result) for result in failed)
        raise ConformanceError(f"{len(failed)} of {len(results)} checks fail\n{text}", results)
    return results


def parametrize_checks(imputers: Iterable[str | type[Imputer] | Imputer]) -> Any:
    """Make one pytest test per imputer and check of a ``test(imputer, check)`` function.

    A check that does not apply shows as skipped. The body of the test is ``check(imputer)``.
    """
    import pytest

    cases = [
        pytest.param(imputer, check, id=f"{_label(imputer)}-{check.name}")
        for imputer in imputers
        for check in checks()
    ]
    return pytest.mark.parametrize(("imputer", "check"), cases)


def _label(imputer: str | type[Imputer] | Imputer) -> str:
    if isinstance(imputer, str):
        return imputer
    return imputer.name if isinstance(imputer, type) else imputer.spec
