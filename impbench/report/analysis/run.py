"""A finished run as the report sees it: what was asked, the scores, and what each name stands for.

Everything that comes from files passes through `impbench.report.text.plain` here, once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from impbench.metrics.metric import Bound, Metric
from impbench.protocols.molecules import MOLECULES_AT_MOST
from impbench.report.analysis.worst import count_failures
from impbench.report.text import plain, plain_lines, plain_tree
from impbench.results.record import Record
from impbench.results.store import Store
from impbench.results.table import tidy

ORACLE = "oracle"
ATTAINABLE = "attainable"
SEES_TRUTH = (ATTAINABLE, ORACLE)
"""Controls that are handed the truth: shown as bounds, never ranked."""

NO_IMPUTATION = "no-imputation"
PRIOR = "maskclass-prior"
CONTROLS = (NO_IMPUTATION, "gene-mean", "nonzero-mean", PRIOR, "permuted", *SEES_TRUTH)

THINNING = "thinning"
MASKING = "masking"

COST_EVIDENCE = {"wall_seconds", "cpu_seconds", "peak_memory"}


@dataclass(frozen=True)
class DatasetFacts:
    """What the manifest says of a dataset."""

    title: str
    n_cells: int | None = None
    n_genes: int | None = None
    n_groups: int | None = None
    zero_fraction: float | None = None
    simulated: bool = False
    steps: Sequence[str] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: str = ""
    labels_confidence: str = ""
    warning: str = ""
    median_count: float | None = None

    @property
    def are_reads(self) -> bool:
        """Whether the counts look like reads; see `impbench.protocols.molecules`."""
        return not self.simulated and (self.median_count or 0) > MOLECULES_AT_MOST


@dataclass(frozen=True)
class ImputerFacts:
    """What the manifest says of an imputer."""

    name: str
    summary: str = ""
    citation: str = ""
    version: str = ""
    is_control: bool = False
    stochastic: bool | None = None
    input_scale: str = ""
    devices: Sequence[str] = ()
    keeps_observed: bool | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    needs_truth: bool = False


@dataclass(frozen=True)
class ProblemFacts:
    """What the manifest says of one question about one dataset."""

    dataset: str
    protocol: str
    metrics: Sequence[str] = ()
    conventions: Sequence[str] = ()
    has_truth: bool = False


@dataclass(frozen=True)
class MetricFacts:
    """What the report must know of a metric.

    `direction` is 1 where smaller is better, -1 where larger is, 0 where nobody knows: the metric
    belongs to a plugin that is not installed here, so it is shown but neither ranked nor judged.
    """

    name: str
    title: str
    direction: int
    unit: str = ""
    ideal: float = float("nan")
    is_cost: bool = False
    reference: str = ""
    definition: str = ""
    range: tuple[float, float] | None = None
    bound: Bound = "none"
    comparable: bool = True

    @classmethod
    def of(cls, name: str, known: Mapping[str, Metric]) -> MetricFacts:
        """Look `name` up among the registered metrics."""
        if name not in known:
            return cls(name, name, 0)
        metric = known[name]
        is_cost = set(metric.needs) <= COST_EVIDENCE
        return cls(
            name=name,
            title=plain(metric.title),
            direction=1 if metric.direction == "min" else -1,
            unit=plain(metric.unit),
            ideal=metric.ideal,
            is_cost=is_cost,
            reference=plain(metric.reference),
            definition=plain_lines(_definition(metric)),
            range=metric.range,
            bound="none" if is_cost else metric.bound,
            comparable=metric.comparable,
        )


@dataclass(frozen=True)
class Run:
    """Everything the report is made from.

    Attributes
    ----------
    manifest
        As stored, every string printable.
    results
        One row per (job, metric), see `impbench.results.table.tidy`.
    records
        As stored; only `impbench.report.analysis.failures` and the pictures look at them.
    metrics
        Facts of every metric in `results`, in order of appearance.
    """

    manifest: Mapping[str, Any]
    results: pd.DataFrame
    records: Sequence[Record]
    metrics: Mapping[str, MetricFacts]

    @cached_property
    def datasets(self) -> dict[str, DatasetFacts]:
        """Facts by dataset, in the plan's order."""
        found = self.manifest.get("datasets", {})
        return {name: _read(DatasetFacts, found.get(name), name) for name in self._seen("dataset")}

    @cached_property
    def imputers(self) -> dict[str, ImputerFacts]:
        """Facts by imputer spec, in the plan's order."""
        found = self.manifest.get("imputers", {})
        facts = {name: _read(ImputerFacts, found.get(name), name) for name in self._seen("imputer")}
        return {
            name: dataclasses.replace(
                fact,
                is_control=fact.is_control or name in CONTROLS,
                needs_truth=fact.needs_truth or name in SEES_TRUTH,
            )
            for name, fact in facts.items()
        }

    @cached_property
    def problems(self) -> dict[tuple[str, str], ProblemFacts]:
        """Facts by (dataset, protocol)."""
        listed = {
            (str(item.get("dataset")), str(item.get("protocol"))): item
            for item in self.manifest.get("problems", [])
        }
        pairs = self.results[["dataset", "protocol"]].drop_duplicates()
        return {
            (dataset, protocol): dataclasses.replace(
                _read(ProblemFacts, listed.get((dataset, protocol)), dataset),
                dataset=dataset,
                protocol=protocol,
            )
            for dataset, protocol in pairs.itertuples(index=False)
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
        return [name for name in self.datasets_of(protocol) if self.datasets[name].are_reads]

    @property
    def methods(self) -> list[str]:
        """Imputers that are no controls, in the plan's order."""
        return [name for name, facts in self.imputers.items() if not facts.is_control]

    @property
    def controls(self) -> list[str]:
        """Controls that do not see the truth, in the plan's order."""
        return [n for n, fact in self.imputers.items() if fact.is_control and not fact.needs_truth]

    def sees_truth(self, imputer: str) -> bool:
        """Whether `imputer` is a control that was handed the truth."""
        return self.imputers[imputer].needs_truth

    @property
    def n_seeds(self) -> int:
        """Number of seeds asked for; 0 where the manifest does not say."""
        return len(self.manifest.get("seeds", []))

    @property
    def n_missing(self) -> int:
        """Number of planned jobs without a record."""
        return max(0, len(self.manifest.get("keys", [])) - len(self.records))

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

    def purpose(self, protocol: str) -> str:
        """Return the purpose that `protocol` serves; its bare name where the manifest has none."""
        facts = self.manifest.get("protocols", {}).get(protocol, {})
        return str(facts.get("purpose") or protocol.partition("[")[0])

    def protocol_parameters(self, protocol: str) -> Mapping[str, Any]:
        """Return the parameters of a protocol's spec; empty where the manifest has none."""
        facts = self.manifest.get("protocols", {}).get(protocol, {})
        return dict(facts.get("params") or {})

    def scope(self, dataset: str) -> str:
        """Return ``simulated`` or ``real``."""
        return "simulated" if self.datasets[dataset].simulated else "real"

    def _seen(self, column: str) -> list[str]:
        """Names in `column` of the results, those of the manifest first and in its order."""
        seen = list(self.results[column].unique())
        planned = [name for name in self.manifest.get(f"{column}s", {}) if name in set(seen)]
        return list(dict.fromkeys([*planned, *seen]))


def read_run(store: Store, records: Sequence[Record] | None = None) -> Run:
    """Read the run in `store`'s folder; metrics are looked up among the installed ones.

    `records` are the store's, where they have been read already.
    """
    from impbench.registry import registry

    records = store.records() if records is None else records
    return make_run(records, store.manifest(), registry().metrics)


def make_run(
    records: Iterable[Record], manifest: Mapping[str, Any], known: Mapping[str, Metric]
) -> Run:
    """Build a `Run` from records in memory."""
    asked = {
        (item.get("dataset"), item.get("protocol")): tuple(item.get("metrics", ()))
        for item in manifest.get("problems", [])
    }
    # A failure must stay visible, even where the runner could not yet say what was to be scored.
    records = [
        record
        if record.metrics or record.scores
        else dataclasses.replace(
            record, metrics=asked.get((record.job.dataset, record.job.protocol), ())
        )
        for record in records
    ]
    return run_of_results(tidy(records), manifest, known, records)


def run_of_results(
    results: pd.DataFrame,
    manifest: Mapping[str, Any],
    known: Mapping[str, Metric],
    records: Sequence[Record] = (),
) -> Run:
    """Build a `Run` from a tidy table."""
    results = results.copy()
    for column in ("dataset", "protocol", "imputer", "metric", "reason"):
        names = {name: plain(name) for name in results[column].unique()}
        results[column] = results[column].map(names).astype(object)
    metrics = {name: MetricFacts.of(name, known) for name in results["metric"].unique()}
    return Run(plain_tree(dict(manifest)), results, records, metrics)


Facts = TypeVar("Facts", DatasetFacts, ImputerFacts, ProblemFacts)


def _read(kind: type[Facts], found: Mapping[str, Any] | None, name: str) -> Facts:
    """Build facts from what the manifest holds, which may be less or more than the fields."""
    first, *_ = fields = [item.name for item in dataclasses.fields(kind)]
    values = {key: value for key, value in (found or {}).items() if key in fields}
    if kind is ProblemFacts:
        values.setdefault("protocol", "")
    values = {key: value for key, value in values.items() if value is not None}
    values.setdefault(first, name)
    return kind(**values)


def _definition(metric: Metric) -> str:
    """The docstring without its sections: summary and formula, as paragraphs."""
    import inspect

    text = inspect.getdoc(metric.function) or ""
    lines = text.splitlines()
    for i, line in enumerate(lines):
        if set(line.strip()) == {"-"} and i:
            return "\n".join(lines[: i - 1]).strip()
    return text.strip()
