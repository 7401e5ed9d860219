"""What came out, in sentences a biologist can act on, each computed from the scores.

Rules. "Lowest" and "highest" are by mean rank among the methods (no controls) that have a score
on every dataset. "Beyond seed noise" is `impbench.report.tables.gain`: the mean difference exceeds
twice the standard deviation of the difference over seeds. With one seed nothing is called so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

import pandas as pd

from impbench.report.numbers import number, skill_text, spread
from impbench.report.run import NO_IMPUTATION, PRIOR, Run
from impbench.report.tables import gain
from impbench.report.text import counted, listed


@dataclass(frozen=True)
class Finding:
    """One statement: `lead` says it in a few words, `details` give the numbers, `topic` on what."""

    lead: str
    details: tuple[str, ...] = ()
    topic: str = ""
    kind: str = "result"


@dataclass(frozen=True)
class _Question:
    """One protocol on simulated or on real data, seen through the protocol's lead metric."""

    run: Run
    rows: pd.DataFrame
    protocol: str
    metric: str
    scope: str
    datasets: list[str]

    @property
    def topic(self) -> str:
        """Such as ``clustering, 2 simulated datasets``."""
        return f"{self.protocol}, {counted(len(self.datasets), f'{self.scope} dataset')}"

    @property
    def title(self) -> str:
        return self.run.metrics[self.metric].title

    @property
    def extreme(self) -> str:
        return "lowest" if self.run.metrics[self.metric].direction == 1 else "highest"

    def contenders(self) -> list[str]:
        """Methods with a score on every dataset, best mean rank first."""
        methods = self.rows[self.rows["imputer"].isin(self.run.methods)]
        scored = methods.groupby("imputer", sort=False)["mean"].count()
        whole = scored[scored == len(self.datasets)].index
        ranks = methods.groupby("imputer", sort=False)["rank"].mean().loc[whole]
        return [str(name) for name in ranks.sort_values(kind="stable").index]

    def mean_rank(self, imputer: str) -> float:
        return float(self.rows.loc[self.rows["imputer"] == imputer, "rank"].mean())

    def score(self, imputer: str) -> str:
        """Mean ± sd per dataset, at most three of them."""
        rows = self.rows[self.rows["imputer"] == imputer].head(3)
        values = [spread(mean, sd) for mean, sd in zip(rows["mean"], rows["sd"], strict=True)]
        more = ", …" if len(self.datasets) > 3 else ""
        return f"{self.title} {', '.join(values)}{more}"

    def wins(self, a: str, b: str) -> tuple[int, int]:
        """On how many datasets `a` beats `b` beyond seed noise, and on how many that is known."""
        verdicts = [
            gain(self.run, dataset, self.protocol, self.metric, a, b)[1]
            for dataset in self.datasets
        ]
        known = [verdict for verdict in verdicts if verdict is not None]
        return sum(known), len(known)

    def best_controls(self) -> dict[str, str]:
        """The best control of each dataset that has one."""
        rows = self.rows.drop_duplicates("dataset").dropna(subset=["control"])
        return dict(zip(rows["dataset"], rows["control"], strict=True))

    @property
    def best_control_names(self) -> list[str]:
        """The controls that are best somewhere."""
        return list(dict.fromkeys(self.best_controls().values()))

    @property
    def best_control(self) -> str:
        """The best control in words."""
        names = self.best_control_names
        if names == [NO_IMPUTATION]:
            return "no imputation at all"
        each = "" if len(names) == 1 else "of each dataset: "
        return f"the best control ({each}{listed(names)})"

    def wins_over_controls(self, method: str) -> tuple[int, int]:
        """As `wins`, against each dataset's own best control."""
        verdicts = [
            gain(self.run, dataset, self.protocol, self.metric, method, control)[1]
            for dataset, control in self.best_controls().items()
        ]
        known = [verdict for verdict in verdicts if verdict is not None]
        return sum(known), len(known)


def find(run: Run, summary: pd.DataFrame) -> list[Finding]:
    """Return the findings: one per protocol and kind of data, then cost, failures and caveats."""
    if summary.empty or not summary["n_scored"].any():
        lead = "No job gave a score."
        return [Finding(lead, ("The section on failures says why.",), kind="caution")]
    findings: list[Finding] = []
    for question in _questions(run, summary):
        findings += _answer(question)
    return [*findings, *_cost(run, summary), *_cautions(run, summary)]


def _questions(run: Run, summary: pd.DataFrame) -> Iterator[_Question]:
    for protocol in run.protocols:
        metric = run.lead_metric(protocol)
        for scope in ("simulated", "real"):
            datasets = [name for name in run.datasets_of(protocol) if run.scope(name) == scope]
            if metric is None or not datasets:
                continue
            asked = (summary["protocol"] == protocol) & (summary["metric"] == metric)
            rows = summary[asked & summary["dataset"].isin(datasets)]
            yield _Question(run, rows, protocol, metric, scope, datasets)


def _answer(question: _Question) -> Iterator[Finding]:
    """Who was best, and whether that is more than a trivial rule reaches."""
    contenders = question.contenders()
    if not contenders:
        if set(question.rows["imputer"]) & set(question.run.methods):
            lead = f"No method has a {question.title} on every dataset."
            yield Finding(lead, topic=question.topic, kind="caution")
        return
    won = {name: question.wins_over_controls(name) for name in contenders}
    known = max(total for _, total in won.values())
    better = [f"{name} on {n} of {known}" for name, (n, _) in won.items() if n]
    best = _best(question, contenders)
    if not known:
        details = _flat((*best[1], _scores_of_controls(question)))
        yield Finding(best[0], details, question.topic)
    elif better:
        over = f"Better than {question.best_control} beyond seed noise: {listed(better)}."
        details = (*best[1], over, *_skills(question, [name for name in won if won[name][0]][:3]))
        yield Finding(best[0], (*details, *_over_prior(question, contenders)), question.topic)
    else:
        lead = (
            f"No method improved {question.title} over {question.best_control} beyond seed noise."
        )
        best_lead, best_scores = best
        parts = (_scores_of_controls(question), _room(question), best_lead, *best_scores)
        details = _flat((*parts, *_over_prior(question, contenders)))
        yield Finding(lead, details, question.topic, "caution")


def _best(question: _Question, contenders: list[str]) -> tuple[str, tuple[str, ...]]:
    """The best method or methods as a sentence, and their scores."""
    first = [
        name for name in contenders if question.mean_rank(name) == question.mean_rank(contenders[0])
    ]
    if len(contenders) == 1:
        return f"{first[0]} reached {question.score(first[0])}.", ()
    if len(first) > 1:
        shared = f"{listed(first)} shared the {question.extreme} {question.title} of all methods."
        return shared, (f"{first[0]}: {question.score(first[0])}.",)
    best, second = contenders[:2]
    lead = f"{best} had the {question.extreme} {question.title} of all methods"
    won, known = question.wins(best, second)
    if not known:
        lead += "; with one seed it cannot be said whether that is more than seed noise."
    elif won == known == len(question.datasets):
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


def _scores_of_controls(question: _Question) -> str:
    names = question.best_control_names
    return f"Best control, {names[0]}: {question.score(names[0])}." if len(names) == 1 else ""


def _room(question: _Question) -> str:
    """Say so where the best control leaves nothing to gain."""
    if question.rows["skill"].notna().any() or not (question.rows["basis"] == "oracle").all():
        return ""
    return "That is as good as the truth itself scores, so no method could be better."


def _skills(question: _Question, methods: Iterable[str]) -> tuple[str, ...]:
    means = question.rows.groupby("imputer")["skill"].mean()
    shown = [f"{name} {skill_text(means[name])}" for name in methods if pd.notna(means[name])]
    if not shown:
        return ()
    return (f"Skill (0 = best control, 1 = best possible): {', '.join(shown)}.",)


def _over_prior(question: _Question, contenders: list[str]) -> tuple[str, ...]:
    """Say what a network adds over the prior, where the best control is another."""
    has_prior = PRIOR in set(question.rows.loc[question.rows["mean"].notna(), "imputer"])
    if not has_prior or question.best_control_names == [PRIOR]:
        return ()
    won = {name: question.wins(name, PRIOR) for name in contenders}
    if not any(known for _, known in won.values()):
        return ()
    better = [f"{name} on {n} of {known}" for name, (n, known) in won.items() if n]
    who = listed(better) if better else "no method"
    return (f"Better than {PRIOR}, a formula without a network, beyond seed noise: {who}.",)


def _cost(run: Run, summary: pd.DataFrame) -> list[Finding]:
    times = summary[(summary["metric"] == "wall-seconds") & summary["imputer"].isin(run.methods)]
    typical = times.groupby("imputer")["mean"].median().dropna().sort_values()
    if len(typical) < 2:
        return []
    fast, slow = typical.index[0], typical.index[-1]
    lead = (
        f"{fast} was the fastest method ({number(typical.iloc[0], 2)} s per imputation, median "
        f"over datasets), {slow} the slowest ({number(typical.iloc[-1], 2)} s)."
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
