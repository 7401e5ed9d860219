"""A run at a glance for Python users: answers and tables as data frames, figures to look at."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import pandas as pd
from markupsafe import escape
from matplotlib.figure import Figure

from impbench.errors import InputError
from impbench.report.analysis.advice import Advice, advise
from impbench.report.analysis.heading import Heading, heading
from impbench.report.analysis.purposes import SPEED
from impbench.report.analysis.run import make_run
from impbench.report.analysis.shown_metric import ShownMetric
from impbench.report.figures.drawing import style
from impbench.report.figures.scene import Scene
from impbench.results.store import StoredRun

TIME = "time (s) ↓"


@dataclass(frozen=True)
class Overview:
    """A finished run, summarised; `impbench.runner.outcome.Results` describes what it returns."""

    scene: Scene
    told: list[Advice]
    title: Heading

    @classmethod
    def of(cls, stored: StoredRun) -> Overview:
        """Summarise a run."""
        run = make_run(stored)
        scene = Scene.of(run, stored.store.picture)
        return cls(scene, advise(run, scene.summary, scene.comparisons), heading(run))

    def answers(self) -> pd.DataFrame:
        """Return one row per purpose."""
        rows = pd.DataFrame([asdict(answer) for answer in self.told])
        if rows.empty:
            return pd.DataFrame(columns=["verdict", "sure", "reasons", "command"])
        rows["reasons"] = rows["reasons"].map("; ".join)
        return rows.set_index("purpose")[["verdict", "sure", "reasons", "command"]]

    def scores(self) -> pd.DataFrame:
        """Return one row per imputer, one column per protocol and score, and time."""
        run, summary = self.scene.run, self.scene.summary
        facts = {
            name: fact for name, fact in run.metrics.items() if fact.direction and not fact.is_cost
        }
        rows = summary[summary["metric"].isin(facts)]
        against = rows["nothing"].where(
            ~rows["metric"].map(lambda name: facts[name].comparable), 0.0
        )
        values = rows.assign(score=rows["counted"] - against).pivot_table(
            index="imputer", columns=["protocol", "metric"], values="score", sort=False
        )
        columns = [
            (protocol, metric)
            for protocol in run.protocols
            for metric in run.metrics_of(protocol)
            if (protocol, metric) in values.columns
        ]
        values = values.reindex(index=self._ordered(), columns=pd.MultiIndex.from_tuples(columns))
        named = [(protocol, _label(facts[metric])) for protocol, metric in columns]
        values.columns = pd.MultiIndex.from_tuples(named, names=["protocol", "score"])
        values[SPEED, TIME] = self._seconds()
        return values

    def purposes(self) -> pd.DataFrame:
        """Return one row per imputer, one column per purpose."""
        table = self.scene.purposes
        ranks = table.pivot(index="imputer", columns="purpose", values="mean_rank")
        names = [name for name in dict.fromkeys(table["purpose"]) if name != SPEED]
        found = ranks[names].rename(columns=lambda name: f"{name} (mean rank ↓)")
        found = found.assign(**{TIME: self._seconds()})
        found.columns.name = None
        return found.reindex([name for name in self._ordered() if name in found.index])

    def _seconds(self) -> pd.Series:
        """Median over datasets, of methods alone."""
        table = self.scene.purposes
        return table[table["purpose"] == SPEED].set_index("imputer")["seconds"]

    def _ordered(self) -> list[str]:
        """Methods, best first, then controls, then those that see the truth."""
        run, table = self.scene.run, self.scene.purposes
        places = table[table["purpose"] != SPEED] if len(table) else table
        mean = places.groupby("imputer")["mean_place"].mean() if len(places) else pd.Series()

        def key(name: str) -> tuple[bool, bool, float]:
            place = float(mean.get(name, math.inf))
            return run.sees_truth(name), run.imputers[name].is_control, place

        return sorted(run.imputers, key=key)

    def draw(self, name: str) -> Figure:
        """Draw a registered figure of the whole run."""
        from impbench.registry import registry

        figures = registry().figures
        if name not in figures or figures[name].per != "run":
            offer = [each for each in figures if figures[each].per == "run"]
            raise InputError(f"there is no figure {name!r} of a whole run; there are {offer}")
        with style():
            drawn: Figure | None = figures[name].draw(self.scene)
        if drawn is None:
            raise InputError(f"the figure {name!r} has nothing to show of this run")
        return drawn

    def html(self) -> str:
        """Return heading, answers and scores for a notebook; what the data say is escaped."""
        items = "".join(
            f"<li>For {escape(a.purpose)}: <strong>{escape(a.verdict)}</strong>"
            f"{f' ({a.sure})' if a.sure else ''}. {escape('; '.join(a.reasons))}.</li>"
            for a in self.told
        )
        table = self.scores().to_html(float_format=lambda value: f"{value:.3g}", na_rep="")
        return f"<p><strong>{escape(self.title.title)}</strong></p><ul>{items}</ul>{table}"


def _label(fact: ShownMetric) -> str:
    against = "" if fact.comparable else " − no imputation"
    unit = f" ({fact.unit})" if fact.unit else ""
    return f"{fact.title}{against}{unit} {fact.arrow}"
