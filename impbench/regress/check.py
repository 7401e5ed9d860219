"""A run against a baseline: what became of every score, and whether the build passes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from impbench.errors import InputError
from impbench.regress.decide import Evidence, holm, weigh
from impbench.regress.floor import Floor, floor_of
from impbench.regress.measured import UNDEFINED, Entry, Measured, Sample
from impbench.regress.runtime import CONTROL, MAX_SLOWDOWN, Pace, compare_runtimes
from impbench.report.text import listed

Status = Literal[
    "regression",
    "failed",
    "undecided",
    "missing",
    "improvement",
    "fixed",
    "new",
    "unchanged",
    "identical",
    "still-failing",
]

MEANING: dict[Status, str] = {
    "regression": "worse by more than the floor, beyond noise",
    "failed": "had scores in the baseline, now the method fails",
    "undecided": "cannot be compared: NaN, or fewer than two seeds with a score",
    "missing": "in the baseline, not in the run",
    "improvement": "better by more than the floor, beyond noise",
    "fixed": "failed in the baseline, now has scores",
    "new": "in the run, not in the baseline",
    "unchanged": "no change beyond noise and floor",
    "identical": "the same score, digit by digit, for the same seed",
    "still-failing": "no scores in the baseline and none now",
}
"""Every status, the most urgent first."""


@dataclass(frozen=True)
class Rules:
    """What the user may set.

    Attributes
    ----------
    alpha
        Largest chance of any false alarm per build, over all entries together.
    floors
        Metric → largest change that does not matter, instead of the defaults.
    allow_missing
        Whether entries of the baseline may be absent, as when only a part was run.
    any_suite
        Whether the runs may be of different suites.
    control
        The imputer whose runtime is the unit of all others'.
    max_slowdown
        Runtime ratio (new : old) that is not worth a warning.
    fail_on_runtime
        Whether a slower method fails the build.
    """

    alpha: float = 0.01
    floors: Mapping[str, Floor] = field(default_factory=dict)
    allow_missing: bool = False
    any_suite: bool = False
    control: str = CONTROL
    max_slowdown: float = MAX_SLOWDOWN
    fail_on_runtime: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 0.5:
            raise InputError(f"alpha is a chance between 0 and 0.5, such as 0.01, not {self.alpha}")
        if not 1 <= self.max_slowdown < math.inf:
            raise InputError(
                f"the allowed slowdown is a ratio of 1 or more, not {self.max_slowdown}"
            )


@dataclass(frozen=True)
class Finding:
    """What became of one score.

    Attributes
    ----------
    base, new
        The samples; None where there is none.
    evidence
        The test, where one was made.
    p_worse, p_better
        Corrected for all tests of the build (Holm); 1 where none was made.
    largest_passing_loss
        A loss up to here would have passed; None where nothing was tested.
    reason
        Why it failed or is undecided.
    """

    entry: Entry
    status: Status
    base: Sample | None = None
    new: Sample | None = None
    evidence: Evidence | None = None
    p_worse: float = 1.0
    p_better: float = 1.0
    largest_passing_loss: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Check:
    """All findings; `exit_code` is 0 for a pass, 1 for a regression, 2 if it cannot be decided."""

    base: Measured
    new: Measured
    rules: Rules
    findings: tuple[Finding, ...]
    paces: tuple[Pace, ...]
    runtime_note: str
    notes: tuple[str, ...] = ()

    def having(self, *statuses: Status) -> list[Finding]:
        """Return the findings of these statuses, in order of entry."""
        return [finding for finding in self.findings if finding.status in statuses]

    @property
    def tested(self) -> int:
        """Number of entries that entered the correction."""
        return sum(_tested(finding) for finding in self.findings)

    @property
    def slower(self) -> list[Pace]:
        """Methods shown to be slower."""
        return [pace for pace in self.paces if pace.slower]

    @property
    def exit_code(self) -> Literal[0, 1, 2]:
        """What the command returns to the shell; a regression outweighs what is undecided."""
        strict = self.rules.fail_on_runtime
        if self.having("regression", "failed") or (strict and self.slower):
            return 1
        if self.having("undecided") or (strict and not self.paces):
            return 2
        if self.having("missing") and not self.rules.allow_missing:
            return 2
        return 0


def check(base: Measured, new: Measured, rules: Rules | None = None) -> Check:
    """Hold `new` against `base`.

    Raises
    ------
    InputError
        If the two cannot be compared: another scoring version, suite or content of a dataset, or
        nothing in common.
    """
    rules = rules or Rules()
    _check_comparable(base, new, rules)
    findings = [
        _judge(entry, base, new, rules) for entry in sorted(base.scores.keys() | new.scores.keys())
    ]
    paces, runtime_note = compare_runtimes(
        base.runtimes, new.runtimes, rules.control, rules.max_slowdown, rules.alpha
    )
    return Check(
        base=base,
        new=new,
        rules=rules,
        findings=tuple(_decide(findings, rules.alpha)),
        paces=tuple(paces),
        runtime_note=runtime_note,
        notes=tuple(_notes(base, new)),
    )


def _check_comparable(base: Measured, new: Measured, rules: Rules) -> None:
    remedy = "compare runs of a kind, or write a new baseline with `impbench baseline create`"
    if base.scoring != new.scoring:
        raise InputError(
            f"the baseline was scored by version {base.scoring} of the scoring, the run by "
            f"{new.scoring}: the same imputation would get other scores; {remedy}"
        )
    if base.suite != new.suite and not rules.any_suite:
        raise InputError(
            f"the baseline is of suite {base.suite!r}, the run of suite {new.suite!r}; {remedy}"
        )
    shared = base.scores.keys() & new.scores.keys()
    if not shared:
        raise InputError(
            "baseline and run have no dataset, protocol, imputer and metric in common: the "
            f"baseline has {_extent(base)}; the run has {_extent(new)}; {remedy}"
        )
    for dataset in sorted({entry.dataset for entry in shared}):
        if base.datasets.get(dataset) != new.datasets.get(dataset):
            raise InputError(
                f"dataset {dataset} is not the same data in baseline and run (fingerprints "
                f"{base.datasets.get(dataset)} and {new.datasets.get(dataset)}); {remedy}"
            )


def _extent(measured: Measured) -> str:
    datasets = listed(sorted({entry.dataset for entry in measured.scores}))
    imputers = listed(sorted({entry.imputer for entry in measured.scores}))
    return f"{imputers} on {datasets}"


def _judge(entry: Entry, base: Measured, new: Measured, rules: Rules) -> Finding:
    """Say what can be said before the correction for the number of tests."""
    old, now = base.scores.get(entry), new.scores.get(entry)
    found = Finding(entry, "unchanged", old, now)
    if old is None or now is None:
        return dataclasses.replace(found, status="new" if old is None else "missing")
    reason = new.reasons.get(entry[:3], "")
    if old.n == 0:
        if now.lost:
            return dataclasses.replace(found, status="still-failing", reason=reason)
        return dataclasses.replace(found, status="fixed")
    if len(now.lost) > len(old.lost):
        undefined = UNDEFINED in now.lost.values()
        nan = f"the score is NaN for {listed([f'seed {seed}' for seed in now.lost])}"
        return dataclasses.replace(
            found,
            status="undecided" if undefined and not reason else "failed",
            reason=reason or nan,
        )
    shared = old.values.keys() & now.values.keys()
    if shared and all(old.values[seed] == now.values[seed] for seed in shared):
        return dataclasses.replace(found, status="identical")
    if min(old.n, now.n) < 2:
        few = "baseline" if old.n < 2 else "run"
        return dataclasses.replace(
            found, status="undecided", reason=f"only one seed has a score in the {few}"
        )
    facts = base.metrics[entry.metric]
    floor = floor_of(entry.metric, facts, rules.floors).of(old.mean)
    return dataclasses.replace(
        found, evidence=weigh(old.values, now.values, facts.direction, floor)
    )


def _tested(finding: Finding) -> bool:
    return finding.evidence is not None and not finding.evidence.noiseless


def _decide(findings: list[Finding], alpha: float) -> Iterator[Finding]:
    """Correct the p values and turn them into verdicts; scores without noise need no correction."""
    tested = [f.evidence for f in findings if f.evidence is not None and _tested(f)]
    worse = iter(holm([evidence.p_worse for evidence in tested]))
    better = iter(holm([evidence.p_better for evidence in tested]))
    for finding in findings:
        evidence = finding.evidence
        if evidence is None:
            yield finding
            continue
        p_worse, p_better = evidence.p_worse, evidence.p_better
        if _tested(finding):
            p_worse, p_better = next(worse), next(better)
        status: Status = "unchanged"
        if p_worse <= alpha:
            status = "regression"
        elif p_better <= alpha:
            status = "improvement"
        yield dataclasses.replace(
            finding,
            status=status,
            p_worse=p_worse,
            p_better=p_better,
            largest_passing_loss=evidence.largest_passing_loss(alpha / max(1, len(tested))),
        )


def _notes(base: Measured, new: Measured) -> Iterator[str]:
    """What differs between the runs besides scores, and what makes the check blunt."""
    if base.impbench != new.impbench:
        yield f"impbench {base.impbench} in the baseline, {new.impbench} in the run"
    for imputer in sorted(base.imputers.keys() & new.imputers.keys()):
        old, now = base.imputers[imputer], new.imputers[imputer]
        if old != now:
            yield f"{imputer} is version {old} in the baseline, {now} in the run"
    for name, measured in (("baseline", base), ("run", new)):
        if len(measured.seeds) < 5:
            yield f"{len(measured.seeds)} seeds in the {name}: only large changes can be told apart"
