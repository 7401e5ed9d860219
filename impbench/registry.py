"""Find plugins, and resolve names such as ``magic[t=5,knn=10]``.

First-party parts and a stranger's plugin come through the same door: an entry point in the group
``impbench`` names a module, and the hooks that module implements are called. For a stranger's that
happens in a process of its own: its imputers are known here by description, and only what asks a
question (a metric, a protocol, a source of data) is imported, once it is looked up. A plugin that
fails on import is remembered with its reason and harms nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from impbench.data.dataset import Source
from impbench.errors import InputError
from impbench.hooks import KINDS, BrokenPlugin, summary_of, taken
from impbench.imputer import Imputer
from impbench.lookup import find
from impbench.metrics.metric import Metric
from impbench.origin import Origin, installed
from impbench.page_figure import PageFigure, declared_in
from impbench.parameters import Parametrised, no_parameter, split_spec
from impbench.per_batch import class_taking
from impbench.plugin_file import check_file, is_program
from impbench.protocols.evidence import check_needs
from impbench.protocols.protocol import Protocol
from impbench.stand_in import StandIn
from impbench.strangers import described, imported, imported_part
from impbench.truth_control import TRUTH_CONTROLS

OUR_FIGURES = Origin("figures", "impbench.report.figures")
OUR_FIGURES_FOLDER = Path(__file__).parent / "report" / "figures"

P = TypeVar("P", bound=Parametrised)
T = TypeVar("T")


@dataclass(frozen=True)
class Part(Generic[T]):
    """One part: where it is from, what it is in one line, and how it is had.

    `offers` is the evidence that a protocol declares, with a line on each.
    """

    origin: Origin
    summary: str
    load: Callable[[], T]
    offers: Mapping[str, str] = field(default_factory=dict)


class Parts(Mapping[str, T]):
    """All parts of one kind, by name; a stranger's may be imported when it is looked up."""

    def __init__(self, describe_others: Callable[[], None]) -> None:
        self._entries: dict[str, Part[T]] = {}
        self._describe_others = describe_others

    def entry(self, name: str) -> Part[T] | None:
        """Return what is known of a part without importing it; None if there is none."""
        if name not in self._entries:
            self._describe_others()
        return self._entries.get(name)

    def add(self, name: str, entry: Part[T]) -> bool:
        """Add a part; False if its name is taken."""
        return self._entries.setdefault(name, entry) is entry

    def ours(self) -> list[T]:
        """Return impbench's own."""
        return [entry.load() for entry in self._entries.values() if entry.origin.is_ours]

    def origins(self) -> dict[str, Origin]:
        """Return where each part is from that has been met so far."""
        return {name: entry.origin for name, entry in self._entries.items()}

    def summaries(self) -> dict[str, str]:
        """Return one line for each, by name, without importing any."""
        return {name: self._entries[name].summary for name in self}

    def __getitem__(self, name: str) -> T:
        if (entry := self.entry(name)) is None:
            raise KeyError(name)
        return entry.load()

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.entry(name) is not None

    def __iter__(self) -> Iterator[str]:
        self._describe_others()
        return iter(list(self._entries))

    def __len__(self) -> int:
        self._describe_others()
        return len(self._entries)


class Registry:
    """Everything that can be named, by name.

    Parameters
    ----------
    origins
        Plugins, those first whose names nobody else may take. Files are described at once, a
        stranger's packages when a name is looked for that nobody else has.
    imported_kinds
        Import every one of them here, for parts of these kinds alone.
    """

    def __init__(self, origins: Iterable[Origin], imported_kinds: tuple[str, ...] = ()) -> None:
        self.imputers: Parts[type[Imputer]] = Parts(self._describe_others)
        self.metrics: Parts[Metric] = Parts(self._describe_others)
        self.datasets: Parts[type[Source]] = Parts(self._describe_others)
        self.protocols: Parts[type[Protocol]] = Parts(self._describe_others)
        self.suites: Parts[Path] = Parts(self._describe_others)
        self.figures: Parts[PageFigure] = Parts(self._find_figures)
        self.executors: Parts[type[Parametrised]] = Parts(self._describe_others)
        self.commands: Parts[Any] = Parts(self._describe_others)
        self.broken_so_far: list[BrokenPlugin] = []
        """Of the plugins that were looked at; `broken` looks at all."""
        self._others: list[Origin] = []
        self._has_figures = False
        for origin in origins:
            if imported_kinds:
                self._import(origin, imported_kinds)
            elif origin.is_ours or (origin.file and is_program(origin.file)):
                self._import(origin, KINDS)
            elif origin.file is not None:
                self._describe(origin)
            else:
                self._others.append(origin)

    @property
    def broken(self) -> list[BrokenPlugin]:
        """Every plugin that could not be loaded, or part of one, and why."""
        self._describe_others()
        return self.broken_so_far

    def imputer(self, spec: str) -> Imputer:
        """Build the imputer that `spec` names; a stranger's is a stand-in, which cannot impute.

        Besides its own parameters each has ``per=batch`` (`impbench.per_batch`).

        Raises
        ------
        NotFoundError
            If there is no imputer of that name; suggests the nearest ones.
        InputError
            If a parameter is unknown or does not fit.
        """
        name, values = split_spec(spec)
        if name in TRUTH_CONTROLS and values:
            raise no_parameter(name, next(iter(values)), ())
        return class_taking(self._find("imputer", self.imputers, name), values).from_text(values)

    def real_imputer(self, spec: str) -> Imputer:
        """Build the imputer that `spec` names, its plugin imported here; errors as `imputer`."""
        known = self.imputer(spec)
        if not isinstance(known, StandIn):
            return known
        entry = self.imputers.entry(known.name)
        assert entry is not None
        real: type[Imputer] = imported_part(entry.origin, "imputers", known.name)
        values = known.parameters()
        return class_taking(real, values)(**values)

    def dataset(self, spec: str) -> Source:
        """Build the dataset source that `spec` names; errors as `imputer`."""
        return self._build("dataset", self.datasets, spec)

    def protocol(self, spec: str) -> Protocol:
        """Build the protocol that `spec` names; errors as `imputer`."""
        return self._build("protocol", self.protocols, spec)

    def metric(self, name: str) -> Metric:
        """Return the metric of that name; errors as `imputer`.

        Raises
        ------
        InputError
            Also if no protocol offers what the metric needs.
        """
        found = self._find("metric", self.metrics, name)
        check_needs(found, self.offers())
        return found

    def offers(self) -> dict[str, list[str]]:
        """Return the evidence that protocols declare, with the names of those that offer it."""
        found: dict[str, list[str]] = {}
        for name in self.protocols:
            entry = self.protocols.entry(name)
            for offer in entry.offers if entry else ():
                found.setdefault(offer, []).append(name)
        return found

    def imputers_of_files(self) -> dict[Path, list[str]]:
        """Return the names of the imputers that plugin files bring."""
        found: dict[Path, list[str]] = {}
        for name, origin in self.imputers.origins().items():
            if origin.file is not None:
                found.setdefault(origin.file, []).append(name)
        return found

    def suite(self, name: str) -> Path:
        """Return the suite file of that name; errors as `imputer`."""
        return self._find("suite", self.suites, name)

    def executor(self, spec: str) -> Parametrised:
        """Build what `spec` names and plugins offer as an executor; errors as `imputer`.

        `impbench.api.find_executor` makes sure that it is one.
        """
        return self._build("executor", self.executors, spec)

    def parts(self, kind: str) -> Parts[Any]:
        """Return the parts of one of `KINDS`."""
        found: Parts[Any] = getattr(self, kind)
        return found

    def _build(self, kind: str, known: Parts[type[P]], spec: str) -> P:
        name, values = split_spec(spec)
        return self._find(kind, known, name).from_text(values)

    def _find(self, kind: str, known: Parts[T], name: str) -> T:
        # To ask for what is broken describes everything.
        return known[name] if name in known else find(kind, known, name, self.broken)

    def _import(self, origin: Origin, kinds: tuple[str, ...]) -> None:
        try:
            brought = imported(origin, kinds)
        except InputError as error:
            self.broken_so_far.append(BrokenPlugin.of(origin.name, error.__cause__ or error))
            return
        for kind, table in brought.parts.items():
            for name, item in table.items():
                offers = item.offers if kind == "protocols" else {}
                self._admit(kind, name, Part(origin, summary_of(kind, item), _same(item), offers))
        self.broken_so_far += brought.broken

    def _describe(self, origin: Origin) -> None:
        found = described(origin)
        for name, imputer in found.imputers.items():
            self._admit("imputers", name, Part(origin, imputer.summary, _same(imputer)))
        for part in found.parts:
            kind, name = part["kind"], part["name"]
            # A suite is a file that is read, never run.
            load = _same(Path(part["path"])) if kind == "suites" else None
            load = load or partial(imported_part, origin, kind, name)
            self._admit(kind, name, Part(origin, part["summary"], load, part["offers"]))
        self.broken_so_far += found.broken

    def _describe_others(self) -> None:
        while self._others:
            self._describe(self._others.pop(0))

    def _find_figures(self) -> None:
        self._describe_figures()
        self._describe_others()

    def _describe_figures(self) -> None:
        # Read, and imported once they are drawn: they import matplotlib, which most never need.
        if not self._has_figures:
            self._has_figures = True
            for name, summary in declared_in(OUR_FIGURES_FOLDER):
                load = partial(imported_part, OUR_FIGURES, "figures", name)
                self._admit("figures", name, Part(OUR_FIGURES, summary, load))

    def _admit(self, kind: str, name: str, entry: Part[Any]) -> None:
        built_in = kind == "imputers" and name in TRUTH_CONTROLS
        if kind == "figures" and not entry.origin.is_ours:
            # Nobody else may take their names.
            self._describe_figures()
        if built_in or not self.parts(kind).add(name, entry):
            self.broken_so_far.append(BrokenPlugin.of(entry.origin.name, taken(kind, name)))


def _same(item: T) -> Callable[[], T]:
    return lambda: item


@lru_cache(maxsize=1)
def registry() -> Registry:
    """Find every plugin once and return what they offer."""
    found = installed()
    ours = [origin for origin in found if origin.is_ours]
    files = [Origin(file=path) for path in _files]
    return Registry([*ours, *files, *(origin for origin in found if not origin.is_ours)])


def load_file(path: Path) -> None:
    """Add the plugin in one Python file or manifest, as ``--plugin my_method.py`` does.

    Raises
    ------
    InputError
        If the file is missing, fails on import, or has no hook that brings anything; says why.
    """
    path = path.resolve()
    check_file(path)
    if is_program(path):
        imported(Origin(file=path))
    else:
        found = described(Origin(file=path))
        if found.failure:
            raise InputError(f"plugin file {path} fails on import: {found.failure}")
        # A hook that raises is listed as broken; of what is below, nobody would say anything.
        raised = any(broken.details for broken in found.broken)
        if not found.imputers and not found.parts and not raised:
            reasons = [broken.reason for broken in found.broken] or ["its hooks return nothing"]
            raise InputError(f"plugin file {path} brings nothing: {'; '.join(reasons)}")
    if path not in _files:
        _files.append(path)
    registry.cache_clear()


_files: list[Path] = []
