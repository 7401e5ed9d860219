"""Present a finished run to the report: what was asked, the scores, what each name means.

Everything that comes from files passes through `impbench.report.text.plain` here, once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from impbench import truth_control
from impbench.gives import only_embedding
from impbench.metrics.metric import Metric
from impbench.protocols.molecules import MOLECULES_AT_MOST
from impbench.report.analysis.shown_metric import ShownMetric
from impbench.report.analysis.worst import count_failures
from impbench.report.text import plain, plain_tree
from impbench.results.manifest import (
    FORMULA,
    NOTHING,
    AboutDataset,
    AboutImputer,
    AboutProblem,
    AboutProtocol,
    RunManifest,
)
from impbench.results.record import Record
from impbench.results.store import StoredRun
from impbench.results.table import tidy

ORACLE = truth_control.ORACLE.name
ATTAINABLE = truth_control.ATTAINABLE.name

THINNING = "thinning"
MASKING = "masking"

LARGE = 2000
"""Imputers × questions above which a page says each number once, or it would not open at once."""

MANY = 20
"""Imputers above which a figure of one question shows its leading score and the time alone."""


@dataclass(frozen=True)
class Run:
    """Everything the report is made from."""

    manifest: RunManifest
    """As stored, every string printable."""
    results: pd.DataFrame
    """One row per (job, metric), see `impbench.results.table.tidy`."""
    records: Sequence[Record]
    """As stored; only `impbench.report.analysis.failures` and the pictures look at them."""
    metrics: Mapping[str, ShownMetric]
    """What is known of every metric in `results`, in order of appearance."""

    @cached_property
    def datasets(self) -> dict[str, AboutDataset]:
        """What is known of each dataset, in the plan's order."""
        told = self.manifest.datasets
        return {
            name: told.get(name) or AboutDataset(title=name) for name in self._seen("dataset", told)
        }

    @cached_property
    def imputers(self) -> dict[str, AboutImputer]:
        """What is known of each imputer, by spec, in the plan's order."""
        seen = self._seen("imputer", self.manifest.imputers)
        return {name: self.manifest.imputer(name) for name in seen}

    @cached_property
    def problems(self) -> dict[tuple[str, str], AboutProblem]:
        """What is known of each question, by dataset and protocol."""
        told = {(problem.dataset, problem.protocol): problem for problem in self.manifest.problems}
        pairs = self.results[["dataset", "protocol"]].drop_duplicates()
        return {
            pair: told.get(pair) or AboutProblem(*pair)
            for pair in pairs.itertuples(index=False, name=None)
        }

    @cached_property
    def counted(self) -> pd.DataFrame:
        """`results` with what a failed imputation counts as; see `worst`."""
        return count_failures(self.results, self.imputers, self.metrics)

    @cached_property
    def by_seed(self) -> dict[tuple[str, str, str, str], NDArray[np.float64]]:
        """Values by dataset, protocol, metric and imputer, one per seed, NaN if absent."""
        return self._by_seed("value")

    @cached_property
    def counted_by_seed(self) -> dict[tuple[str, str, str, str], NDArray[np.float64]]:
        """As `by_seed`; a failed imputation has the value that it counts as."""
        return self._by_seed("counted")

    def _by_seed(self, column: str) -> dict[tuple[str, str, str, str], NDArray[np.float64]]:
        keys = ["dataset", "protocol", "metric", "imputer"]
        wide = self.counted.pivot_table(index=keys, columns="seed", values=column, sort=False)
        return dict(zip(wide.index, wide.to_numpy(np.float64), strict=True))

    @cached_property
    def intervals(self) -> dict[tuple[str, str, str, str], tuple[float, float]]:
        """95 % bounds over cells by dataset, protocol, imputer and metric, mean over seeds."""
        found: dict[tuple[str, str, str, str], list[tuple[float, float]]] = {}
        for record in self.records:
            where = (record.job.dataset, record.job.protocol, record.job.imputer)
            for metric, bounds in record.intervals.items():
                names = tuple(map(plain, (*where, metric)))
                found.setdefault(names, []).append(bounds)  # type: ignore[arg-type]
        means = {names: np.mean(bounds, axis=0) for names, bounds in found.items()}
        return {names: (float(low), float(high)) for names, (low, high) in means.items()}

    @cached_property
    def notes(self) -> dict[tuple[str, str, str], tuple[str, ...]]:
        """What is odd about an imputation, by dataset, protocol and imputer: of the first seed."""
        found: dict[tuple[str, str, str], tuple[str, ...]] = {}
        for record in self.records:
            job = record.job
            if record.notes:
                key = (plain(job.dataset), plain(job.protocol), plain(job.imputer))
                found.setdefault(key, tuple(map(plain, record.notes)))
        return found

    @property
    def protocols(self) -> list[str]:
        """Protocols that have results, in order; those misled on all of their datasets last."""
        names = dict.fromkeys(protocol for _, protocol in self.problems)
        return sorted(
            names, key=lambda name: all(map(self.misled(name).__contains__, self.datasets_of(name)))
        )

    def misled(self, protocol: str) -> list[str]:
        """Return the datasets whose counts are not what `protocol` takes them for.

        Thinning deals molecules. Of reads, copies of one molecule fall on both sides.
        """
        if protocol.partition("[")[0] != THINNING:
            return []
        return [
            name
            for name in self.datasets_of(protocol)
            if not self.datasets[name].simulated
            and (self.datasets[name].median_count or 0) > MOLECULES_AT_MOST
        ]

    @property
    def methods(self) -> list[str]:
        """Imputers that are no controls, in the plan's order."""
        return [name for name, about in self.imputers.items() if not about.is_control]

    @property
    def controls(self) -> list[str]:
        """Controls that do not see the truth, in the plan's order."""
        return [
            name
            for name, about in self.imputers.items()
            if about.is_control and not about.needs_truth
        ]

    @property
    def nothing(self) -> str | None:
        """The control that leaves the data alone."""
        return self._with_role(NOTHING)

    @property
    def formula(self) -> str | None:
        """The control that does a method's arithmetic without its network."""
        return self._with_role(FORMULA)

    def _with_role(self, role: str) -> str | None:
        """The control of a role; None where it did not run with its default parameters."""
        told = self.imputers.items()
        return next((spec for spec, about in told if about.role == role and "[" not in spec), None)

    def gives_only_embedding(self, imputer: str) -> bool:
        """Whether `imputer` gives no expression; False where the manifest does not say."""
        gives = self.imputers[imputer].gives
        return bool(gives) and only_embedding(gives)

    @property
    def embedding_controls(self) -> list[str]:
        """Controls that stand beside methods that give only an embedding."""
        return [name for name in self.controls if self.gives_only_embedding(name)]

    def sees_truth(self, imputer: str) -> bool:
        """Whether `imputer` is a control that was handed the truth."""
        return self.imputers[imputer].needs_truth

    @property
    def n_seeds(self) -> int:
        """Number of seeds asked for; 0 where the manifest does not say."""
        return len(self.manifest.seeds)

    @property
    def n_missing(self) -> int:
        """Number of planned jobs without a record."""
        return max(0, len(self.manifest.keys) - len(self.records))

    @property
    def is_large(self) -> bool:
        """Whether the tables show every number of a data set in one place alone."""
        return len(self.imputers) * len(self.problems) > LARGE

    @property
    def has_many_imputers(self) -> bool:
        """Whether figures of one question show few of its scores."""
        return len(self.imputers) > MANY

    def datasets_of(self, protocol: str) -> list[str]:
        """Return the datasets that were asked `protocol`."""
        return [dataset for dataset, asked in self.problems if asked == protocol]

    def metrics_of(self, protocol: str) -> list[str]:
        """Return the metrics of `protocol`, its own first in its own order, cost metrics last."""
        return list(self._metrics.get(protocol, ()))

    @cached_property
    def _metrics(self) -> dict[str, list[str]]:
        """What `metrics_of` returns, by protocol."""
        scored: dict[str, list[str]] = {}
        pairs = self.results[["protocol", "metric"]].drop_duplicates()
        for protocol, metric in pairs.itertuples(index=False):
            scored.setdefault(protocol, []).append(metric)
        named: dict[str, list[str]] = {}
        for problem in self.problems.values():
            named.setdefault(problem.protocol, []).extend(problem.metrics)
        found = {}
        for protocol, metrics in scored.items():
            ordered = dict.fromkeys([*named.get(protocol, ()), *metrics])
            present = [name for name in ordered if name in metrics]
            found[protocol] = sorted(present, key=lambda name: self.metrics[name].is_cost)
        return found

    def lead_metric(self, protocol: str) -> str | None:
        """Return the metric that a protocol names first, by which its tables are ordered."""
        for name in self.metrics_of(protocol):
            if not self.metrics[name].is_cost and self.metrics[name].direction:
                return name
        return None

    def about_protocol(self, protocol: str) -> AboutProtocol:
        """Return what the manifest says of a protocol."""
        return self.manifest.protocols.get(protocol) or AboutProtocol()

    def purpose(self, protocol: str) -> str:
        """Return the purpose that `protocol` serves; its bare name where the manifest has none."""
        return self.about_protocol(protocol).purpose or protocol.partition("[")[0]

    def meaning(self, protocol: str) -> str:
        """Return what `protocol` asks, in plain words if it has any."""
        about = self.about_protocol(protocol)
        return about.meaning or about.summary or ""

    def scope(self, dataset: str) -> str:
        """Return ``simulated`` or ``real``."""
        return "simulated" if self.datasets[dataset].simulated else "real"

    def _seen(self, column: str, told: Iterable[str]) -> list[str]:
        """Names in `column` of the results, those of the manifest first and in its order."""
        seen = list(self.results[column].unique())
        planned = [name for name in told if name in seen]
        return list(dict.fromkeys([*planned, *seen]))


def make_run(stored: StoredRun, known: Mapping[str, Metric] | None = None) -> Run:
    """Build a `Run`; metrics are looked up among those `known`, or else the installed ones."""
    asked = {
        (problem.dataset, problem.protocol): problem.metrics for problem in stored.manifest.problems
    }
    # A failure must stay visible, even where the runner could not yet say what was to be scored.
    records = [
        record
        if record.metrics or record.scores
        else dataclasses.replace(
            record, metrics=asked.get((record.job.dataset, record.job.protocol), ())
        )
        for record in stored.records
    ]
    return run_of_results(tidy(records), stored.manifest, known, records)


def run_of_results(
    results: pd.DataFrame,
    manifest: RunManifest,
    known: Mapping[str, Metric] | None = None,
    records: Sequence[Record] = (),
) -> Run:
    """Build a `Run` from a tidy table; the rest is as in `make_run`."""
    if known is None:
        from impbench.registry import registry

        known = registry().metrics
    results = results.copy()
    for column in ("dataset", "protocol", "imputer", "metric", "reason"):
        names = {name: plain(name) for name in results[column].unique()}
        results[column] = results[column].map(names).astype(object)
    metrics = {name: ShownMetric.of(name, known) for name in results["metric"].unique()}
    return Run(plain_tree(manifest), results, records, metrics)
