"""Every check fails for an imputer that breaks its promise, and no check for one that keeps all."""

from __future__ import annotations

import importlib
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest import SkipTest

import numpy as np
import pytest

from impbench.errors import NotFoundError
from impbench.testing import ConformanceError, check_imputer, checks, parametrize_checks
from impbench.testing.example import example_counts

sys.path.insert(0, str(Path(__file__).parent))
FAMILIES = ("good", "declaration", "outcome", "randomness", "symmetry", "edge_cases", "conduct")
BAD = SimpleNamespace()
for family in FAMILIES:
    vars(BAD).update(vars(importlib.import_module(f"violators.{family}")))
sys.path.pop(0)

CHECKS = {check.name: check for check in checks()}

# One more way of breaking a promise that has several.
ALSO = {
    "GivesLess": ("gives-what-it-declares", "declares that it gives std, and returned none"),
    "GivesUnknown": ("gives-what-it-declares", "expected a tuple of 'expression'"),
    "CoordinatesOfOtherCells": ("cell-order", "another seed only by"),
    "CountsDeclaredLog": ("scale-is-true", "'counts'"),
    "LogDeclaredCounts": ("scale-is-true", "'lognorm'"),
    "NormalisedDeclaredCounts": ("scale-is-true", "multiply by it"),
    "LogWithoutSizeFactor": ("scale-is-true", "without the size factor"),
    "SeedMattersUndeclared": ("seed-is-honoured", "stochastic = False"),
    "CellsSortedStochastic": ("cell-order", "another seed only by"),
    "CellsSmoothedInOrderStochastic": ("cell-order", "another seed only by"),
    "SparseInputModified": ("input-is-not-modified", "observed.counts"),
    "ProgressPastTheTotal": ("progress-is-reported", "11 of 10"),
    "SlowInSilence": ("progress-is-reported", "without a call of progress"),
    "ChildWritesToTheWorkingFolder": ("writes-only-to-scratch", "left-behind.txt"),
    "RemovesAFolderElsewhere": ("writes-only-to-scratch", "impbench-violator"),
    "CallsAnAddress": ("no-network", "192.0.2.1"),
    "CompiledCodePrints": ("quiet-stdout", "Epoch 1"),
    "WorkingFolderChanged": ("surroundings-are-restored", "changed the working folder to /"),
}


def _class_for(check: str) -> type:
    name = "".join(word.capitalize() for word in check.split("-"))
    return getattr(BAD, f"{name}Not" if name == "PicklesAndCopies" else name)  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", CHECKS)
def test_check_fails_for_an_imputer_that_breaks_its_promise(name: str) -> None:
    result = CHECKS[name].result(_class_for(name))
    assert result.verdict == "failed", result
    assert result.message


@pytest.mark.parametrize(("violator", "check", "part"), [(k, *v) for k, v in ALSO.items()])
def test_check_names_what_was_wrong(violator: str, check: str, part: str) -> None:
    result = CHECKS[check].result(getattr(BAD, violator))
    assert result.verdict == "failed", result
    assert part in result.message


@pytest.mark.parametrize("name", ["Good", "Rich", "Refuses", "Coordinates"])
def test_imputer_that_keeps_every_promise_fails_no_check(name: str) -> None:
    results = check_imputer(getattr(BAD, name))
    assert len(results) == len(CHECKS)
    if name == "Rich":
        assert [r.check.name for r in results if r.verdict == "skipped"] == []


def test_method_with_two_solutions_is_not_blamed_for_the_order_of_cells() -> None:
    result = CHECKS["cell-order"].result(BAD.TwoSolutions)
    assert result.verdict == "passed", result


def test_there_are_checks_enough_and_each_says_why_and_what_to_do() -> None:
    assert len(CHECKS) == len(checks()) >= 25
    for check in checks():
        assert re.fullmatch(r"[a-z-]+", check.name)
        assert all(
            text.endswith((".", "?")) and len(text) > 20
            for text in (check.promise, check.reason, check.remedy)
        ), check


def test_refusal_in_words_passes_and_is_quoted() -> None:
    result = CHECKS["twenty-cells"].result(BAD.Refuses)
    assert (result.verdict, result.message) == (
        "passed",
        "refuses: needs at least 50 cells, got 20",
    )


def test_failure_raises_after_all_checks_with_remedies() -> None:
    with pytest.raises(ConformanceError, match=r"1 of \d+ checks fail\ncitation-is-given") as info:
        check_imputer(BAD.CitationIsGiven)
    assert "remedy:  Set `citation`" in str(info.value)
    assert len(info.value.results) == len(CHECKS)
    collected = check_imputer(BAD.CitationIsGiven, on_fail="collect")
    assert [r.check.name for r in collected if r.verdict == "failed"] == ["citation-is-given"]


@pytest.mark.parametrize(
    "violator", ["Raises", "ReturnsImputed", "Shape", "Finite", "BeyondSingle"]
)
def test_fault_of_every_imputation_is_named_once(violator: str) -> None:
    # Twice: what is known of an imputer must not turn failures into skips.
    for _ in range(2):
        results = check_imputer(getattr(BAD, violator), on_fail="collect")
        failed = [result for result in results if result.verdict == "failed"]
        assert len(failed) == 1, [(result.check.name, result.message) for result in failed]
        waiting = [result for result in results if result.message.startswith("not examined")]
        assert len(waiting) > 25
        assert {result.verdict for result in waiting} == {"skipped"}
    with pytest.raises(ConformanceError, match=r"1 of \d+ checks fail"):
        check_imputer(getattr(BAD, violator))


def test_name_that_does_not_exist_is_no_failure_of_an_imputer() -> None:
    with pytest.raises(NotFoundError, match="did you mean magic"):
        check_imputer("magik", on_fail="collect")


def test_calling_a_check_raises_or_skips_as_a_test_does() -> None:
    CHECKS["shape"](BAD.Good)
    with pytest.raises(AssertionError, match=r"shape: .*\n.*promise.*\n.*reason.*\n.*remedy"):
        CHECKS["shape"](BAD.Shape)
    with pytest.raises(SkipTest, match="offers no standard deviations"):
        CHECKS["std-is-non-negative"](BAD.Good)


@parametrize_checks([BAD.Good, "no-imputation", BAD.Rich(weight=0.25)])
def test_parametrised_suite_as_a_third_party_uses_it(imputer: object, check: object) -> None:
    check(imputer)  # type: ignore[operator]


def test_parametrised_cases_are_named_after_imputer_and_check() -> None:
    mark = parametrize_checks(["magic[t=5]", BAD.Good]).mark
    names = [case.id for case in mark.args[1]]
    assert names[0] == "magic[t=5]-name-is-plain"
    assert names[-1].startswith("good-")
    assert len(names) == 2 * len(CHECKS)


def test_watching_leaves_the_process_as_it_was(tmp_path: Path) -> None:
    folder = os.getcwd()
    CHECKS["no-network"].result(BAD.NoNetwork)
    CHECKS["writes-only-to-scratch"].result(BAD.WritesOnlyToScratch)
    assert os.getcwd() == folder
    (tmp_path / "free").write_text("again")


def test_example_data_hold_what_the_checks_rely_on() -> None:
    counts = example_counts()
    assert (counts.sum(axis=0) > 0).all()
    assert (counts.sum(axis=1) > 0).all()
    assert (counts.std(axis=0) > 0).all()
    assert 0.1 < (counts == 0).mean() < 0.6
    assert len(np.unique(counts, axis=0)) == len(counts)
    assert (counts == example_counts()).all()
    for shape in ((20, 40), (60, 3), (160, 130)):
        small = example_counts(*shape)
        assert small.shape == shape
        assert (small.sum(axis=1) > 0).all()
