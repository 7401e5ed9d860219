"""Define the result of a check: a status for every score, and one for the build."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from impbench.regress.decide import Evidence
from impbench.regress.measured import Measured, Sample, ScoreKey
from impbench.regress.rules import Rules
from impbench.regress.runtime import Pace

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
class ScoreChange:
    """What became of one score."""

    entry: ScoreKey
    status: Status
    base: Sample | None = None
    """What the baseline has; None where it has none."""
    new: Sample | None = None
    """What the run has; None where it has none."""
    evidence: Evidence | None = None
    """The test, where one was made."""
    p_worse: float = 1.0
    """Corrected for all tests of the build (Holm); 1 where none was made."""
    p_better: float = 1.0
    """The same of a gain."""
    largest_passing_loss: float | None = None
    """A loss up to here would have passed; None where nothing was tested."""
    reason: str = ""
    """Why it failed or is undecided."""

    @property
    def tested(self) -> bool:
        """Whether it was tested against noise; without noise the floor alone decides."""
        return self.evidence is not None and not self.evidence.noiseless

    @property
    def leads(self) -> bool:
        """Whether the baseline says that a loss is looked for here first."""
        return self.base is not None and self.base.leads


@dataclass(frozen=True)
class BuildCheck:
    """All findings; `exit_code` is 0 for a pass, 1 for a regression, 2 if it cannot be decided."""

    base: Measured
    new: Measured
    rules: Rules
    findings: tuple[ScoreChange, ...]
    paces: tuple[Pace, ...]
    runtime_note: str
    notes: tuple[str, ...] = ()

    def having(self, *statuses: Status) -> list[ScoreChange]:
        """Return the findings of these statuses, in order of entry."""
        return [finding for finding in self.findings if finding.status in statuses]

    @property
    def tested(self) -> int:
        """Number of entries that entered the correction."""
        return sum(finding.tested for finding in self.findings)

    @property
    def leading(self) -> int:
        """Number of those that lead, which together have most of the level."""
        return sum(finding.tested and finding.leads for finding in self.findings)

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
