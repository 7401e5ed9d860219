"""Say for each purpose what a user wants to know: use which method, or none, and how sure.

A method is advised where it does better than no imputation on most questions of the purpose; else
the data are better left alone. Where only embeddings are asked, the best control that gives one
stands in the place of no imputation. Of several methods the one of lowest mean rank is advised. A
method that failed anywhere is advised for nothing (`impbench.report.analysis.worst`).

On one question, a method does better or worse when the mean difference over seeds exceeds twice
its standard deviation (`impbench.report.analysis.tables.gain`). Where the seeds show no chance at
work, because there is one or all gave the same, the difference must exceed the 95 % intervals over
cells, or `WORTH`. Over many datasets the tests of `impbench.report.analysis.statistics` count.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd

from impbench.report.analysis.impute_command import impute_command
from impbench.report.analysis.purposes import SPEED, all_misled, purposes_of, questions_of
from impbench.report.analysis.run import Run
from impbench.report.analysis.statistics import MIN_DATASETS, Comparison, significant
from impbench.report.analysis.tables import Verdict, gain
from impbench.report.numbers import p_text, spread
from impbench.report.text import listed

Sure = Literal["rests on little", "fairly sure", "quite sure"]
SURE: tuple[Sure, ...] = ("rests on little", "fairly sure", "quite sure")

REPEATS = (3, 5)
"""Seeds from which a difference is fairly, and quite, sure.

Where there is none, its mean over n seeds still exceeds twice its standard deviation in 22 % of
cases with two seeds, 7 % with three, 3 % with four and 1 % with five (Student's t = 2 √n).
"""

WORTH = 0.02
"""Share of a score's range, or of the score of no imputation where the range has no end, below
which a difference of single results is taken for chance."""


@dataclass(frozen=True)
class Advice:
    """What to do for one purpose."""

    purpose: str
    """Such as ``clustering``."""
    asked: tuple[str, ...]
    """The protocols that the answer rests on."""
    verdict: str
    """``use magic``, ``leave your data alone`` or ``no answer``."""
    choice: str | None
    """The method to use, or the control of embeddings that none is better than, or None."""
    sure: Sure | Literal[""]
    """How sure that is; empty without an answer."""
    reasons: tuple[str, ...]
    """Sentences: the scores, how chance was told from difference, what speaks against it."""
    command: str = ""
    """What imputes the user's own data by `choice`; empty where the run is not about such."""


def advise(run: Run, summary: pd.DataFrame, comparisons: Sequence[Comparison]) -> list[Advice]:
    """Return one answer per purpose, in the order of the page.

    Where there are a user's own data, these alone count.

    Parameters
    ----------
    summary
        See `impbench.report.analysis.tables.summarise`.
    comparisons
        The tests over datasets.
    """
    own = [name for name, about in run.datasets.items() if about.own]
    if own:
        summary = summary[summary["dataset"].isin(own)]
    table, asked = purposes_of(run, summary), questions_of(run, summary)
    if table.empty:
        return []
    table = table[table["purpose"] != SPEED]
    ranked: _Ranked = {}
    scores: Iterable[Any] = asked[asked["rank"].notna()].itertuples()
    for row in scores:
        ranked.setdefault((row.dataset, row.protocol, row.metric), {})[row.imputer] = row
    return [
        _Purpose(run, str(purpose), rows, ranked, comparisons).answer()
        for purpose, rows in table.groupby("purpose", sort=False)
        if set(rows["imputer"]) & set(run.methods)
    ]


_Ranked = dict[tuple[str, str, str], dict[str, Any]]
"""Rows of `questions_of` that have a rank: by dataset, protocol and metric, by imputer."""


@dataclass(frozen=True)
class _Duel:
    """A method against its rival, mostly no imputation, on one question.

    `repeats` are the seeds that show chance at work, 1 where they all gave the same; `apart` says
    that the intervals over cells do not touch.
    """

    outcome: Verdict
    repeats: int
    apart: bool

    @property
    def sure(self) -> int:
        """Place in `SURE`."""
        return min(2, sum(self.repeats >= least for least in REPEATS) + self.apart)


@dataclass(frozen=True)
class _Purpose:
    """One purpose, its rows of `purposes_of`, and the scores of every question."""

    run: Run
    purpose: str
    rows: pd.DataFrame
    ranked: _Ranked
    comparisons: Sequence[Comparison]

    def answer(self) -> Advice:
        contenders = self._contenders()
        if not contenders:
            return self._said("no answer", None, "", ["no method gave every result"])
        if self._rival is None:
            alone = "no imputation has no score here, so there is nothing to compare with"
            return self._said(f"use {contenders[0]}", contenders[0], SURE[0], [alone])
        duels = {name: [self._duel(*asked, name) for asked in self._asked] for name in contenders}
        better = [name for name in contenders if _mostly("better", duels[name])]
        if not better:
            return self._leave(contenders[0], duels[contenders[0]])
        return self._use(better, duels[better[0]])

    def _use(self, better: list[str], duels: list[_Duel]) -> Advice:
        choice = better[0]
        reasons = [self._scores(choice, duels), self._because(choice, "better", duels)]
        if alike := [name for name in better[1:] if not self._beats(choice, name)]:
            reasons.append(f"not told apart from it: {listed(alike)}")
        controls = self.rows[self.rows["imputer"].isin(self.run.controls)]
        ranks = controls.set_index("imputer")["mean_rank"].dropna()
        if len(ranks) and ranks.min() < self._rank(choice):
            reasons.append(f"but {ranks.idxmin()}, a simple rule, ranks before it")
        sure = SURE[self._sureness(choice, "better", duels)]
        return self._said(f"use {choice}", choice, sure, [*reasons, *self._surer(sure, duels)])

    def _leave(self, best: str, duels: list[_Duel]) -> Advice:
        if _mostly("worse", duels):
            sure = SURE[self._sureness(best, "worse", duels)]
            because = f"every method did {self._because(best, 'worse', duels)}"
        elif (n_datasets := len({dataset for dataset, _, _ in self._asked})) >= MIN_DATASETS:
            # Other cells are a better repeat than other seeds of the same ones.
            sure = SURE[1]
            because = f"no method did better by more than chance on most of {n_datasets} datasets"
        else:
            sure = SURE[min(duel.repeats for duel in duels) >= REPEATS[0]]
            because = f"no method did better by more than chance, judged by {self._basis(duels)}"
        reasons = [f"best method, {best}: {self._scores(best, duels)}", because]
        reasons += self._surer(sure, duels)
        rival = self._rival
        if rival != self.run.nothing:
            return self._said(f"use {rival}", rival, sure, reasons)
        return self._said("leave your data alone", None, sure, reasons)

    def _said(
        self, verdict: str, choice: str | None, sure: Sure | Literal[""], reasons: list[str]
    ) -> Advice:
        methods = self.rows[self.rows["imputer"].isin(self.run.methods)]
        if failed := list(methods.loc[methods["n_failed"] > 0, "imputer"]):
            reasons = [*reasons, f"failed, so not advised: {listed(failed)}"]
        if sure and all_misled(self.run, self.purpose):
            sure = SURE[0]
            reads = "the counts look like reads, which this question takes for molecules"
            reasons = [*reasons, reads]
        return Advice(
            self.purpose,
            tuple(dict.fromkeys(protocol for _, protocol, _ in self._asked)),
            verdict,
            choice,
            sure,
            tuple(reasons),
            "" if choice is None else impute_command(self.run, choice),
        )

    @cached_property
    def _asked(self) -> list[tuple[str, str, str]]:
        """Dataset, protocol and leading metric of every question with ranks."""
        found = []
        for dataset, protocol in self.run.problems:
            metric = self.run.lead_metric(protocol)
            if self.run.purpose(protocol) != self.purpose or metric is None:
                continue
            if (dataset, protocol, metric) in self.ranked:
                found.append((dataset, protocol, metric))
        return found

    @cached_property
    def _whole(self) -> set[str]:
        """Imputers with a rank on every question and no failure."""
        asked = int(self.rows["n_questions"].max())
        whole = self.rows[(self.rows["n_ranked"] == asked) & (self.rows["n_failed"] == 0)]
        return set(whole["imputer"])

    def _contenders(self) -> list[str]:
        """Methods that gave every result, best mean rank first, then best mean skill."""
        methods = self.rows[self.rows["imputer"].isin(self._whole & set(self.run.methods))]
        placed = methods.assign(unskill=-methods["mean_skill"])
        return list(placed.sort_values(["mean_rank", "unskill"], kind="stable")["imputer"])

    @cached_property
    def _rival(self) -> str | None:
        """Whom a method has to beat: the control that leaves the data alone.

        Where that one was not asked, the best control of embeddings.
        """
        nothing, whole = self.run.nothing, self._whole
        if nothing in whole:
            return nothing
        asked = set(self.rows["imputer"])
        controls = [name for name in self.run.embedding_controls if name in whole]
        return min(controls, key=self._rank, default=None) if nothing not in asked else None

    def _rank(self, imputer: str) -> float:
        return float(self.rows.loc[self.rows["imputer"] == imputer, "mean_rank"].iloc[0])

    def _duel(self, dataset: str, protocol: str, metric: str, method: str) -> _Duel:
        run, rival = self.run, self._rival
        assert rival is not None, "there is nothing to compare with otherwise"
        mean, told = gain(run, dataset, protocol, metric, method, rival)
        a, b = (run.counted_by_seed[dataset, protocol, metric, who] for who in (method, rival))
        differences = (a - b)[np.isfinite(a - b)]
        varied = len(differences) > 1 and np.ptp(differences) > 1e-9 * abs(mean)
        rows = self.ranked[dataset, protocol, metric]
        own, other = rows[method], rows[rival]
        apart = own.high < other.low or other.high < own.low
        if varied:
            return _Duel(told or "not told apart", len(differences), apart)
        low, high = run.metrics[metric].range or (-math.inf, math.inf)
        scale = high - low if math.isfinite(high - low) else abs(other.mean)
        if not apart and abs(mean) <= WORTH * scale:
            return _Duel("not told apart", 1, apart)
        return _Duel("better" if mean > 0 else "worse", 1, apart)

    def _beats(self, a: str, b: str) -> bool:
        """Whether `a` is better than `b` beyond seed noise on most questions."""
        told = [gain(self.run, *asked, a, b)[1] for asked in self._asked]
        return 2 * told.count("better") > len(told)

    def _tested(self, method: str, outcome: Verdict) -> float:
        """The corrected p of a test over datasets that agrees with the outcome; NaN without one."""
        pair = (method, self._rival)
        wanted = pair if outcome == "better" else pair[::-1]
        protocols = {protocol for _, protocol, _ in self._asked}
        found = [
            test.p_holm
            for comparison in self.comparisons
            if comparison.protocol in protocols
            for test in significant(comparison.pairs)
            if (test.better, test.worse) == wanted
        ]
        return max(found) if len(found) == len(protocols) else math.nan

    def _sureness(self, method: str, outcome: Verdict, duels: list[_Duel]) -> int:
        """Place in `SURE` of most duels' outcome."""
        if not math.isnan(self._tested(method, outcome)):
            return 2
        if any(duel.outcome != outcome for duel in duels):
            return 0
        return min(2, min(duel.sure for duel in duels) + (len(duels) > 2))

    def _scores(self, method: str, duels: list[_Duel]) -> str:
        """The scores of a method and of its rival, or on how many questions it won."""
        asked, rival = self._asked, str(self._rival)
        alone = rival == self.run.nothing
        if len(asked) > 1:
            counts = {kind: sum(duel.outcome == kind for duel in duels) for kind in _KINDS}
            parts = [f"{kind} on {n}" for kind, n in counts.items() if n]
            return (
                f"against {'no imputation' if alone else rival}, {method} is {', '.join(parts)} "
                f"of {len(asked)} questions"
            )
        ((dataset, protocol, metric),) = asked
        fact, rows = self.run.metrics[metric], self.ranked[dataset, protocol, metric]
        shown = {name: spread(rows[name].mean, rows[name].sd) for name in (method, rival)}
        return (
            f"{fact.title} {shown[method]}, {'without imputation' if alone else rival} "
            f"{shown[rival]} ({fact.better})"
        )

    def _because(self, method: str, outcome: Verdict, duels: list[_Duel]) -> str:
        if not math.isnan(p_value := self._tested(method, outcome)):
            equals = "" if p_text(p_value).startswith("<") else "= "
            return f"{outcome} over datasets: Wilcoxon's test, p {equals}{p_text(p_value)} (Holm)"
        if all(duel.apart for duel in duels):
            intervals = "95 % intervals over cells, which lie apart"
            return f"{outcome} by more than chance, judged by {self._basis(duels)} and {intervals}"
        if min(duel.repeats for duel in duels) > 1:
            return f"{outcome} by more than chance, judged by {self._basis(duels)}"
        return f"{outcome}, but judged by {self._basis(duels)}, which may be chance"

    def _basis(self, duels: list[_Duel]) -> str:
        """What told chance from difference."""
        repeats = min(duel.repeats for duel in duels)
        if repeats > 1:
            return f"{repeats} repeats with other random seeds"
        why = "every seed gave the same" if self.run.n_seeds > 1 else "one seed"
        return f"a single result ({why})"

    def _surer(self, sure: Sure, duels: list[_Duel]) -> list[str]:
        """Say how to know better, where more seeds would tell."""
        repeats, n_seeds = min(duel.repeats for duel in duels), self.run.n_seeds
        if sure == SURE[2] or n_seeds >= REPEATS[1] or repeats < n_seeds:
            return []
        return [f"to be surer, repeat with {REPEATS[1]} seeds; only the new ones are computed"]


_KINDS: tuple[Verdict, ...] = ("better", "not told apart", "worse")


def _mostly(outcome: Verdict, duels: list[_Duel]) -> bool:
    return 2 * sum(duel.outcome == outcome for duel in duels) > len(duels)
