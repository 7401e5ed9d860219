"""Gather the results of one question: a protocol, one kind of data, its lead metric."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from impbench.report.analysis.run import Run
from impbench.report.analysis.tables import Verdict, gain
from impbench.report.numbers import interval_text, number, spread
from impbench.report.text import counted, listed


@dataclass(frozen=True)
class QuestionResult:
    """Rows of the summary for one protocol, its lead metric, and one kind of data."""

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
        """The metric's."""
        return self.run.metrics[self.metric].title

    @property
    def extreme(self) -> str:
        """What the best score is."""
        return "lowest" if self.run.metrics[self.metric].direction == 1 else "highest"

    def contenders(self) -> list[str]:
        """Methods that have a score on every dataset and never failed, best mean rank first."""
        methods = self.rows[self.rows["imputer"].isin(self.run.methods)]
        groups = methods.groupby("imputer", sort=False)
        scored, failed = groups["mean"].count(), groups["n_failed"].sum()
        whole = scored[(scored == len(self.datasets)) & (failed == 0)].index
        ranks = groups["rank"].mean().loc[whole]
        return [str(name) for name in ranks.sort_values(kind="stable").index]

    def failed(self) -> dict[str, tuple[int, int]]:
        """Of methods that failed: in how many imputations, and of how many asked."""
        methods = self.rows[self.rows["imputer"].isin(self.run.methods)]
        sums = methods.groupby("imputer", sort=False)[["n_failed", "n_asked"]].sum()
        return {
            str(name): (int(n_failed), int(n_asked))
            for name, n_failed, n_asked in sums[sums["n_failed"] > 0].itertuples()
        }

    def mean_rank(self, imputer: str) -> float:
        """Over the datasets on which it is ranked."""
        return self._means["rank"].get(imputer, math.nan)

    def mean_skill(self, imputer: str) -> float:
        """Over the datasets on which it is defined; NaN on none."""
        return self._means["skill"].get(imputer, math.nan)

    @cached_property
    def _means(self) -> dict[str, dict[str, float]]:
        """Mean rank and mean skill, by imputer."""
        means = self.rows.groupby("imputer", sort=False)[["rank", "skill"]].mean()
        return {
            column: dict(zip(means.index.astype(str), means[column].tolist(), strict=True))
            for column in ("rank", "skill")
        }

    def score(self, imputer: str) -> str:
        """Mean ± sd per dataset, at most three of them; over cells where seeds do not vary."""
        rows = self.rows[self.rows["imputer"] == imputer].head(3)
        more = ", …" if len(self.datasets) > 3 else ""
        if not self.run.metrics[self.metric].comparable and rows["nothing"].notna().all():
            gaps = rows.assign(gap=rows["mean"] - rows["nothing"])[["gap", "sd"]]
            values = [spread(gap, sd, signed=True) for gap, sd in gaps.itertuples(index=False)]
            return f"{self.title} {', '.join(values)}{more} against no imputation"
        columns = rows[["mean", "sd", "low", "high"]].itertuples(index=False)
        values = [_value(mean, sd, low, high) for mean, sd, low, high in columns]
        return f"{self.title} {', '.join(values)}{more}"

    def verdicts(self, a: str, rivals: Mapping[str, str]) -> list[Verdict]:
        """Say how `a` compares with each dataset's rival, where more than one seed tells."""
        found = [
            gain(self.run, dataset, self.protocol, self.metric, a, rival)[1]
            for dataset, rival in rivals.items()
        ]
        return [verdict for verdict in found if verdict is not None]

    def against(self, a: str, b: str) -> list[Verdict]:
        """Say how `a` compares with `b` on each dataset, where more than one seed tells."""
        return self.verdicts(a, dict.fromkeys(self.datasets, b))

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
        if names == [self.run.nothing]:
            return "no imputation at all"
        each = "" if len(names) == 1 else "of each dataset: "
        return f"the best control ({each}{listed(names)})"


def questions(run: Run, summary: pd.DataFrame) -> Iterator[QuestionResult]:
    """Yield one question per protocol and kind of data, in the order of the page."""
    for protocol in run.protocols:
        metric = run.lead_metric(protocol)
        for scope in ("simulated", "real"):
            datasets = [name for name in run.datasets_of(protocol) if run.scope(name) == scope]
            if metric is None or not datasets:
                continue
            asked = (summary["protocol"] == protocol) & (summary["metric"] == metric)
            rows = summary[asked & summary["dataset"].isin(datasets)]
            yield QuestionResult(run, rows, protocol, metric, scope, datasets)


def _value(mean: float, sd: float, low: float, high: float) -> str:
    if sd > 0 or not low < high:
        return spread(mean, sd)
    return f"{number(mean)} (over cells {interval_text(low, high)})"
