"""Put the results of a check into words and numbers, for terminal, Markdown and pytest alike."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from impbench.regress.measured import Sample
from impbench.regress.verdict import MEANING, BuildCheck, ScoreChange, Status
from impbench.report.text import counted, plain, shorten

VERDICTS = {0: "pass", 1: "regression", 2: "cannot compare"}

URGENT: tuple[Status, ...] = ("regression", "failed", "undecided", "missing")
"""What is always shown, entry by entry."""

WORTH_SHOWING: tuple[Status, ...] = (*URGENT, "improvement", "fixed", "new")


@dataclass(frozen=True)
class CheckRow:
    """One line of a table; every text is printable."""

    status: Status
    dataset: str
    protocol: str
    imputer: str
    metric: str
    base: str
    new: str
    change: str
    why: str


def rows(check: BuildCheck, statuses: Iterable[Status] = WORTH_SHOWING) -> Iterator[CheckRow]:
    """Describe the findings of these statuses, status by status.

    Where all of an imputer's metrics share their fate without a number (it failed, or was not
    run), they share a row.
    """
    for status in statuses:
        shared: dict[tuple[str, str, str], list[ScoreChange]] = {}
        for finding in check.having(status):
            if finding.evidence is None and status not in ("identical", "undecided"):
                shared.setdefault(finding.entry[:3], []).append(finding)
            else:
                yield describe(check, finding)
        for findings in shared.values():
            names = ", ".join(finding.entry.metric for finding in findings)
            yield replace(
                describe(check, findings[0]), metric=plain(names), base="", new="", change=""
            )


def summary(check: BuildCheck) -> str:
    """Count the findings of each status in one line."""
    counts = [(status, len(check.having(status))) for status in MEANING]
    parts = [f"{status} {count}" for status, count in counts if count]
    return f"{counted(len(check.findings), 'score')}: {', '.join(parts)}"


def runtime_lines(check: BuildCheck) -> list[str]:
    """Say which methods are slower, and what was not compared."""
    control, allowed = check.rules.control, check.rules.max_slowdown
    lines = [
        plain(
            f"slower: {pace.imputer} on {pace.dataset} takes {pace.slowdown:.2f} times as long as "
            f"in the baseline, in units of {control} in the same run "
            f"({pace.base:.3g} → {pace.new:.3g}; {allowed:g} is allowed; p = {pace.p_slower:.1g})"
        )
        for pace in check.slower
    ]
    return [*lines, plain(check.runtime_note)] if check.runtime_note else lines


def notes(check: BuildCheck) -> list[str]:
    """What else the reader should know."""
    return [plain(note) for note in check.notes]


def accept(check: BuildCheck, run: str, baseline: str) -> str:
    """Return the command that makes this run the baseline, where there is something to accept."""
    if not baseline or not check.having("improvement", "fixed", "new", "regression"):
        return ""
    return shlex.join(["impbench", "baseline", "create", run, "-o", baseline])


def accept_sentence(check: BuildCheck) -> str:
    """Say what accepting would accept."""
    if check.exit_code == 0:
        return "to make this run the baseline"
    return "to make this run the baseline, all that got worse included"


def test_sentence(check: BuildCheck) -> str:
    """Say how it was decided."""
    return (
        f"{counted(check.tested, 'score')} tested against noise, {check.leading} of them leading, "
        f"one-sided, Holm-corrected to a chance of {100 * check.rules.alpha:g} % of any false alarm"
    )


def describe(check: BuildCheck, finding: ScoreChange) -> CheckRow:
    """Put one finding into words."""
    entry = finding.entry
    return CheckRow(
        status=finding.status,
        dataset=plain(entry.dataset),
        protocol=plain(entry.protocol),
        imputer=plain(entry.imputer),
        metric=plain(entry.metric),
        base=_number(finding.base),
        new=_number(finding.new),
        change=_change(check, finding),
        why=shorten(plain(_why(check, finding)), 200),
    )


def _number(sample: Sample | None) -> str:
    if sample is None or sample.n == 0:
        return "none"
    spread = "" if math.isnan(sample.sd) else f" ± {sample.sd:.2g}"
    return f"{sample.mean:.4g}{spread} (n = {sample.n})"


def _change(check: BuildCheck, finding: ScoreChange) -> str:
    if finding.base is None or finding.new is None or min(finding.base.n, finding.new.n) == 0:
        return ""
    change = finding.new.mean - finding.base.mean
    if check.base.metrics[finding.entry.metric].bounded or finding.base.mean == 0:
        return f"{change:+.3g}"
    return f"{100 * change / abs(finding.base.mean):+.2f} %"


def _why(check: BuildCheck, finding: ScoreChange) -> str:
    if finding.evidence is None or finding.base is None:
        return finding.reason
    if finding.evidence.noiseless:
        return f"no noise in either run; changes up to {finding.evidence.floor:.2g} do not matter"
    if finding.status == "improvement":
        return f"p = {finding.p_better:.1g}"
    limit = largest_passing_mean(check, finding)
    return f"p = {finding.p_worse:.1g}; a mean of {limit:.4g} would have passed"


def largest_passing_mean(check: BuildCheck, finding: ScoreChange) -> float:
    """Return the worst mean that would have passed; NaN where nothing was tested."""
    if finding.largest_passing_loss is None or finding.base is None:
        return math.nan
    sign = 1 if check.base.metrics[finding.entry.metric].direction == "min" else -1
    return finding.base.mean + sign * finding.largest_passing_loss
