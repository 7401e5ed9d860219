"""Say what came out in sentences a biologist can act on, each computed from the scores.

Rules. "Lowest" and "highest" are by mean rank among the methods (no controls) that have a score
on every dataset and never failed. "Beyond seed noise" is `tables.gain`: the mean
difference exceeds twice the standard deviation of the difference over seeds; otherwise two are not
told apart. With one seed nothing is called so. A failed imputation counts as the worst
(`impbench.report.analysis.worst`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pandas as pd

from impbench.report.analysis.purposes import TIME
from impbench.report.analysis.question import QuestionResult, questions
from impbench.report.analysis.run import ATTAINABLE, ORACLE, Run
from impbench.report.analysis.tables import Verdict
from impbench.report.analysis.trust import opposite_note, reads_note
from impbench.report.numbers import number, skill_text
from impbench.report.text import counted, listed

NEARLY_ALL = 0.9
"""Skill from which a formula is said to go nearly all of the way."""


@dataclass(frozen=True)
class Finding:
    """One statement: `lead` says it in a few words, `details` give the numbers, `topic` on what."""

    lead: str
    details: tuple[str, ...] = ()
    topic: str = ""
    kind: str = "result"


def find(run: Run, summary: pd.DataFrame) -> list[Finding]:
    """Return the findings: one per protocol and kind of data, then cost, failures and caveats."""
    if summary.empty or not summary["n_scored"].any():
        lead = "No job gave a score."
        return [Finding(lead, ("The section on failures says why.",), kind="caution")]
    findings: list[Finding] = []
    for question in questions(run, summary):
        findings += _answer(question)
    return [*findings, *_trust(run, summary), *_cost(run, summary), *_cautions(run, summary)]


def _answer(question: QuestionResult) -> Iterator[Finding]:
    """Who was best, and whether that is more than a trivial rule reaches."""
    contenders = question.contenders()
    if not contenders:
        if set(question.rows["imputer"]) & set(question.run.methods):
            lead = f"No method gave a {question.title} for every dataset and seed."
            yield Finding(lead, _failed(question), question.topic, "caution")
        return
    rivals = question.best_controls()
    told = {name: question.verdicts(name, rivals) for name in contenders}
    known = any(told.values())
    best = _best(question, contenders)
    after = (*_way(question, contenders), *_over_formula(question, contenders), *_failed(question))
    if not known:
        details = _flat([*best[1], _scores_of_controls(question), after])
        yield Finding(best[0], details, question.topic)
    elif any("better" in verdicts for verdicts in told.values()):
        over = _verdicts(f"Against {question.best_control}, beyond seed noise", told)
        yield Finding(best[0], _flat([*best[1], over, after]), question.topic)
    else:
        lead = (
            f"No method improved {question.title} over {question.best_control} beyond seed noise."
        )
        worse = _verdicts("Against it", told)
        parts: list[str | tuple[str, ...]]
        parts = [_scores_of_controls(question), _room(question), worse, best[0], *best[1], after]
        yield Finding(lead, _flat(parts), question.topic, "caution")


def _best(question: QuestionResult, contenders: list[str]) -> tuple[str, tuple[str, ...]]:
    """The best method or methods as a sentence, and their scores."""
    first = [
        name for name in contenders if question.mean_rank(name) == question.mean_rank(contenders[0])
    ]
    if len(contenders) == 1:
        return f"{first[0]} reached {question.score(first[0])}.", ()
    of_all = "of all methods that never failed" if question.failed() else "of all methods"
    if len(first) > 1:
        shared = f"{listed(first)} shared the {question.extreme} {question.title} {of_all}."
        return shared, (f"{first[0]}: {question.score(first[0])}.",)
    best, second = contenders[:2]
    lead = f"{best} had the {question.extreme} {question.title} {of_all}"
    verdicts = question.against(best, second)
    won = verdicts.count("better")
    if not verdicts:
        lead += "; with one seed it cannot be said whether that is more than seed noise."
    elif won == len(question.datasets):
        lead += ", beyond seed noise."
    elif won == 0:
        lead += f", but not ahead of {second} beyond seed noise."
    else:
        lead += (
            f", ahead of {second} beyond seed noise on {won} of {len(question.datasets)} datasets."
        )
    return lead, (f"{best}: {question.score(best)}; next {second}: {question.score(second)}.",)


def _flat(parts: Iterable[str | tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(
        text for part in parts for text in ((part,) if isinstance(part, str) else part) if text
    )


def _verdicts(start: str, told: dict[str, list[Verdict]]) -> str:
    """Say of every method whether it is better, worse, or not told apart, and on how many."""
    kinds: tuple[Verdict, ...] = ("better", "worse", "not told apart")
    parts = []
    for kind in kinds:
        names = [
            f"{name} on {verdicts.count(kind)} of {len(verdicts)}"
            for name, verdicts in told.items()
            if kind in verdicts
        ]
        parts += [f"{kind}: {listed(names, 12)}"] if names else []
    return f"{start}, {'; '.join(parts)}." if parts else ""


def _scores_of_controls(question: QuestionResult) -> str:
    names = question.best_control_names
    return f"Best control, {names[0]}: {question.score(names[0])}." if len(names) == 1 else ""


def _room(question: QuestionResult) -> str:
    """Say so where the best control leaves nothing to gain."""
    columns = question.rows[["dataset", "imputer", "mean", "sd"]].itertuples(index=False)
    found = {(dataset, imputer): (mean, sd) for dataset, imputer, mean, sd in columns}
    for dataset, control in question.best_controls().items():
        if (dataset, ORACLE) not in found:
            return ""
        (best, sd), (most, sd_most) = found[dataset, control], found[dataset, ORACLE]
        gap = question.run.metrics[question.metric].direction * (best - most)
        noise = float(np.hypot(*np.nan_to_num([sd, sd_most])))
        if not gap <= max(1e-9, 1e-6 * abs(most), noise):
            return ""
    return "That is as good as the truth itself scores, so no method could be better."


def _way(question: QuestionResult, contenders: list[str]) -> tuple[str, ...]:
    """How far methods go from doing nothing to the bound, and a formula without a network."""
    bases = set(question.rows.loc[question.rows["skill"].notna(), "basis"])
    shown = [name for name in contenders[:3] if np.isfinite(question.mean_skill(name))]
    if not shown:
        return ()
    end = f"to {ATTAINABLE}" if bases == {ATTAINABLE} else "to the best possible score"
    formulas = [name for name in question.run.controls if name != question.run.nothing]
    skills = {name: question.mean_skill(name) for name in formulas}
    skills = {name: value for name, value in skills.items() if np.isfinite(value)}
    best = max(skills, key=lambda name: skills[name], default=None)
    names = [*shown, best] if best is not None else shown
    values = [f"{name} {skill_text(question.mean_skill(name))}" for name in names]
    way = f"Of the way from doing nothing (0) {end} (1): {', '.join(values)}."
    if best is None or skills[best] < NEARLY_ALL:
        return (way,)
    rule = f"So {best}, a rule without a network, goes"
    left = 100 * (1 - skills[best])
    if left < 0.05:
        return way, f"{rule} all of the way: by this score nothing is left to gain."
    return way, f"{rule} nearly all of the way, and leaves {number(left, 2)} % of it to gain."


def _over_formula(question: QuestionResult, contenders: list[str]) -> tuple[str, ...]:
    """Say what a network adds over its formula, where the best control is another."""
    formula = question.run.formula
    scored = set(question.rows.loc[question.rows["mean"].notna(), "imputer"])
    if formula is None or formula not in scored or question.best_control_names == [formula]:
        return ()
    told = {name: question.against(name, formula) for name in contenders}
    if not any(told.values()):
        return ()
    better = [
        f"{name} on {verdicts.count('better')} of {len(verdicts)}"
        for name, verdicts in told.items()
        if "better" in verdicts
    ]
    who = listed(better) if better else "no method"
    return (f"Better than {formula}, a formula without a network, beyond seed noise: {who}.",)


def _failed(question: QuestionResult) -> tuple[str, ...]:
    """Say who failed, and what that counts as."""
    failed = [
        f"{name} in {n} of {counted(asked, 'imputation')}"
        for name, (n, asked) in question.failed().items()
    ]
    if not failed:
        return ()
    return (f"Failed, which counts as the worst score reached there: {listed(failed)}.",)


def _trust(run: Run, summary: pd.DataFrame) -> Iterator[Finding]:
    """What to know before ranks of different protocols are believed."""
    for protocol in run.protocols:
        if note := reads_note(run, protocol):
            yield Finding(note[0], note[1:], protocol, "caution")
    if note := opposite_note(run, summary):
        yield Finding(note[0], note[1:], kind="caution")


def _cost(run: Run, summary: pd.DataFrame) -> list[Finding]:
    times = summary[(summary["metric"] == TIME) & summary["imputer"].isin(run.methods)]
    failed = times.groupby("imputer")["n_failed"].sum()
    times = times[times["imputer"].map(failed) == 0]
    typical = times.groupby("imputer")["mean"].median().dropna().sort_values()
    if len(typical) < 2:
        return []
    fast, slow = typical.index[0], typical.index[-1]
    whole = " of those that never failed" if failed.any() else ""
    lead = (
        f"{fast} was the fastest method{whole} ({number(typical.iloc[0], 2)} s per imputation, "
        f"median over datasets), {slow} the slowest ({number(typical.iloc[-1], 2)} s)."
    )
    return [Finding(lead, kind="cost")]


def _cautions(run: Run, summary: pd.DataFrame) -> Iterator[Finding]:
    jobs = run.results.drop_duplicates("key")
    bad = jobs[jobs["status"] != "ok"]
    if len(bad):
        pairs = sorted(zip(bad["imputer"], bad["status"], strict=True))
        counts = [
            f"{name} ({status}, {counted(len(list(group)), 'job')})"
            for (name, status), group in groupby(pairs)
        ]
        lead = f"{len(bad)} of {counted(len(jobs), 'job')} gave no result: {listed(counts)}."
        yield Finding(lead, kind="caution")
    if run.n_missing:
        planned = counted(run.n_missing, "planned job")
        yield Finding(f"The run is not complete: {planned} without a record.", kind="caution")
    if summary["n_scored"].max() == 1:
        lead = "Every score rests on one seed, so seed noise is unknown; use --seeds 2 or more."
        yield Finding(lead, kind="caution")
    if not any(facts.is_control for facts in run.imputers.values()):
        lead = (
            "No control imputer ran, so no score can be placed between doing nothing and the truth."
        )
        yield Finding(lead, kind="caution")
