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
    """One statement: `lead` says it in a few words, `details` give the numbers."""

    lead: str
    details: tuple[str, ...] = ()
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
    def place(self) -> str:
        """Such as ``on 2 simulated datasets``."""
        return f"on {counted(len(self.datasets), f'{self.scope} dataset')}"

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
            gain(self.run, self.rows, dataset, self.protocol, self.metric, a, b)[1]
            for dataset in self.datasets
        ]
        known = [verdict for verdict in verdicts if verdict is not None]
        return sum(known), len(known)

    def best_controls(self) -> dict[str, str]:
        """The best control of each dataset that has one."""
        rows = self.rows.drop_duplicates("dataset").dropna(subset=["control"])
        return dict(zip(rows["dataset"], rows["control"], strict=True))

    def wins_over_controls(self, method: str) -> tuple[int, int]:
        """As `wins`, against each dataset's own best control."""
        verdicts = [
            gain(self.run, self.rows, dataset, self.protocol, self.metric, method, control)[1]
            for dataset, control in self.best_controls().items()
        ]
        known = [verdict for verdict in verdicts if verdict is not None]
        return sum(known), len(known)


def find(run: Run, summary: pd.DataFrame) -> list[Finding]:
    """Return the findings: one or two per protocol and scope, then cost, failures and caveats."""
    if summary.empty or not summary["n_scored"].any():
        return [Finding("No job gave a score.", ("The section on failures says why.",), "caution")]
    findings: list[Finding] = []
    for question in _questions(run, summary):
        findings += _winner(question)
        findings += _over_controls(question)
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


def _winner(question: _Question) -> list[Finding]:
    contenders = question.contenders()
    if not contenders:
        asked = set(question.rows["imputer"]) & set(question.run.methods)
        if not asked:
            return []
        lead = f"{question.place.capitalize()}, no method has a {question.title} everywhere."
        return [Finding(lead, (), "caution")]
    best_rank = question.mean_rank(contenders[0])
    first = [name for name in contenders if question.mean_rank(name) == best_rank]
    place = question.place.capitalize()
    if len(contenders) == 1:
        return [Finding(f"{place}, {first[0]} reached {question.score(first[0])}.")]
    if len(first) > 1:
        lead = f"{place}, {listed(first)} shared the {question.extreme} {question.title}."
        return [Finding(lead, (f"{question.score(first[0])} ({first[0]}).",))]
    best, second = contenders[:2]
    lead = f"{place}, {best} had the {question.extreme} {question.title} of all methods"
    details = [f"{question.score(best)}; next {second}: {question.score(second)}."]
    won, known = question.wins(best, second)
    if not known:
        lead += "; with one seed it cannot be said whether that is more than seed noise."
    elif won == known == len(question.datasets):
        lead += ", beyond seed noise."
    elif won == 0:
        lead += f", but not ahead of {second} beyond seed noise."
    else:
        lead += f", ahead of {second} beyond seed noise on {won} of {len(question.datasets)}."
    return [Finding(lead, tuple(details))]


def _over_controls(question: _Question) -> list[Finding]:
    contenders, controls = question.contenders(), question.best_controls()
    if not contenders or not controls:
        return []
    findings = []
    names = list(dict.fromkeys(controls.values()))
    control = f"the best control ({listed(names)})"
    if names == [NO_IMPUTATION]:
        control = "no imputation at all"
    verdicts = {method: question.wins_over_controls(method) for method in contenders}
    known = max(total for _, total in verdicts.values())
    anywhere = [method for method, (won, _) in verdicts.items() if won]
    place = question.place
    if known:
        if anywhere:
            shown = [f"{name} on {verdicts[name][0]} of {known}" for name in anywhere]
            lead = f"Better than {control} beyond seed noise, {place}: {listed(shown)}."
            findings.append(Finding(lead, _skills(question, anywhere[:3])))
        else:
            lead = f"No method improved {question.title} over {control} beyond seed noise, {place}."
            details = [f"{names[0]}: {question.score(names[0])}."] if len(names) == 1 else []
            findings.append(Finding(lead, tuple(details), "caution"))
    return findings + _over_prior(question, contenders, names)


def _skills(question: _Question, methods: Iterable[str]) -> tuple[str, ...]:
    means = question.rows.groupby("imputer")["skill"].mean()
    shown = [f"{name} {skill_text(means[name])}" for name in methods if pd.notna(means[name])]
    if not shown:
        return ()
    return (f"Skill (0 = best control, 1 = best possible): {', '.join(shown)}.",)


def _over_prior(question: _Question, contenders: list[str], best_controls: list[str]) -> list[Finding]:
    """Say what a network adds over the prior, where the sentence on controls did not say it."""
    has_prior = PRIOR in set(question.rows.loc[question.rows["mean"].notna(), "imputer"])
    if not has_prior or best_controls == [PRIOR]:
        return []
    verdicts = {method: question.wins(method, PRIOR) for method in contenders}
    if not any(known for _, known in verdicts.values()):
        return []
    better = [f"{name} on {won} of {known}" for name, (won, known) in verdicts.items() if won]
    if better:
        lead = f"Better than {PRIOR}, a formula without a network, {question.place}: {listed(better)}."
        return [Finding(lead)]
    lead = (
        f"No method had a better {question.title} than {PRIOR}, a formula without a network, "
        f"beyond seed noise, {question.place}."
    )
    return [Finding(lead, (f"{PRIOR}: {question.score(PRIOR)}.",), "caution")]


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
        lead = "Every score rests on one seed, so differences may be seed noise; use --seeds 2 or more."
        yield Finding(lead, kind="caution")
    if not any(facts.is_control for facts in run.imputers.values()):
        lead = "No control imputer ran, so no score can be placed between doing nothing and the truth."
        yield Finding(lead, kind="caution")
