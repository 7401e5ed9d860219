"""Resolve the names of a suite into a plan: who answers which question, with which seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import get_args

from impbench.data.dataset import Source
from impbench.data.read import FileSource
from impbench.errors import InputError
from impbench.gives import only_embedding
from impbench.imputer import Imputer
from impbench.parameters import split_spec
from impbench.per_batch import Company, alone, is_alone
from impbench.plan.answerable import nothing_to_ask, unasked, who_answers
from impbench.plan.keys import plugin_file
from impbench.plan.separation import Answering
from impbench.plan.suite import Question, Suite
from impbench.protocols.evidence import OF_SOME_IMPUTERS
from impbench.protocols.protocol import Protocol
from impbench.registry import Registry
from impbench.results.record import Job
from impbench.truth_control import TRUTH_CONTROLS


@dataclass(frozen=True)
class Asked:
    """One question with every name in it resolved."""

    source: Source
    protocol: Protocol
    imputers: tuple[Imputer, ...]


@dataclass(frozen=True)
class Plan:
    """Everything a run will do, before any data are loaded."""

    suite: Suite
    asked: tuple[Asked, ...]
    seeds: tuple[int, ...]
    named: tuple[str, ...] = ()
    """Specs of the imputers that the user named, or whose plugin file the user gave."""
    answering: Answering = field(default_factory=Answering)
    """The strangers whose imputers take part: none of them may bring what asks."""
    replaced: tuple[str, ...] = ()
    """What of the suite was replaced by something else: imputers, datasets, protocols, seeds."""
    metrics: Mapping[str, str] = field(default_factory=dict)
    """What is scored besides the protocols' own metrics, where a problem has what it needs: by
    name, a text that changes with the metric's code (empty for impbench's own)."""
    idle: tuple[str, ...] = ()
    """Sentences on plugin files that were given and whose imputers take no part."""
    unasked: tuple[str, ...] = ()
    """Sentences: which of the methods that were chosen are not asked what, and why."""

    @property
    def notices(self) -> tuple[str, ...]:
        """What was chosen and takes no part, or not in everything: sentences."""
        return (*self.idle, *self.unasked)

    @property
    def sources(self) -> list[Source]:
        """Each dataset once, in order."""
        return list(dict.fromkeys(item.source for item in self.asked))

    @property
    def kinds(self) -> list[type[Imputer]]:
        """The class of each imputer once, in order."""
        return list(dict.fromkeys(type(i) for item in self.asked for i in item.imputers))

    @property
    def asks_batches(self) -> bool:
        """Whether an imputer works on each batch alone."""
        return any(is_alone(imputer) for item in self.asked for imputer in item.imputers)

    def jobs(self) -> list[Job]:
        """List the jobs as far as they are known without the data; truth controls' are not."""
        return [
            Job(source, protocol, spec, imputer.parameters(), seed)
            for item in self.asked
            for source, protocol in [(item.source.spec, item.protocol.spec)]
            for imputer in item.imputers
            for spec in [imputer.spec]
            for seed in self.seeds
        ]


def make_plan(
    suite: Suite,
    registry: Registry,
    *,
    imputers: Sequence[str] | None = None,
    sources: Sequence[str | Source] | None = None,
    protocols: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    metrics: Sequence[str] = (),
    per: Company = "all",
) -> Plan:
    """Resolve every name in `suite`, after replacing what the caller gave.

    With ``per="batch"`` each imputer but the controls that run besides takes part twice: as it is,
    on all cells together, and on each batch alone (`impbench.per_batch`).

    Raises
    ------
    NotFoundError, InputError
        If a name or parameter does not exist, or a method that the caller named can answer nothing
        that is asked.
    NotApartError
        If one plugin brings both an imputer and what it would be judged by.
    """
    taking_part = _names(_taking_part(suite, imputers, sources))
    answering = Answering.of(registry, [name for name in taking_part if name not in TRUTH_CONTROLS])
    with answering.kept_out():
        asked, chosen = _asked(suite, registry, answering, imputers, sources, protocols, per)
        besides = _besides(registry, answering, metrics)
    left = unasked(chosen)
    answers = {imputer.spec for item in asked for imputer in item.imputers}
    for name in imputers or ():
        specs = _specs(registry, name, per)
        if answers.isdisjoint(specs) and any(one.imputer in specs for one in left):
            raise nothing_to_ask(registry.imputer(name), registry)
    if not asked:
        raise InputError("nothing to run: no dataset, protocol or imputer was chosen")
    seeds = tuple(seeds) if seeds is not None else tuple(range(1, suite.seeds + 1))
    named = [spec for name in imputers or () for spec in _specs(registry, name, per)]
    named += [i.spec for item in asked for i in item.imputers if plugin_file(type(i)) is not None]
    # Of one asked both ways, together and batch by batch, one way may have nothing to answer.
    named = [spec for spec in dict.fromkeys(named) if spec in answers or spec in TRUTH_CONTROLS]
    replaced = _replaced(suite, imputers, sources, protocols, seeds)
    idle = _idle(registry, asked)
    plan = Plan(
        suite,
        tuple(dict.fromkeys(asked)),
        seeds,
        tuple(named),
        answering,
        replaced,
        metrics=besides,
        idle=idle,
        unasked=(*map(str, left), *_whole_only(chosen, per)),
    )
    _check_batches(plan)
    return plan


def _specs(registry: Registry, name: str, per: Company) -> list[str]:
    """Return under which specs an imputer that the user named takes part."""
    if name in TRUTH_CONTROLS:
        return [name]
    return [imputer.spec for imputer in _both_ways([registry.imputer(name)], per)]


def _whole_only(chosen: Iterable[tuple[Imputer, Protocol]], per: Company) -> list[str]:
    """Say which methods are not run on each batch alone, where that was asked of all."""
    named = {imputer for imputer, _ in chosen if only_embedding(imputer.gives)}
    return [
        f"{imputer.spec} gives only an embedding, so it is not run on each batch alone"
        for imputer in sorted(named, key=lambda imputer: imputer.spec)
        if per == "batch"
    ]


def _replaced(
    suite: Suite,
    imputers: Sequence[str] | None,
    sources: Sequence[str | Source] | None,
    protocols: Sequence[str] | None,
    seeds: Sequence[int],
) -> tuple[str, ...]:
    """Name what differs from the suite; the same again is no change."""
    own = {
        "imputers": {name for q in suite.questions for name in q.imputers or suite.imputers},
        "datasets": {name for q in suite.questions for name in q.datasets},
        "protocols": {name for q in suite.questions for name in q.protocols},
        "seeds": set(range(1, suite.seeds + 1)),
    }
    given = {"imputers": imputers, "datasets": sources, "protocols": protocols, "seeds": seeds}
    return tuple(
        name for name, values in given.items() if values is not None and set(values) != own[name]
    )


def _check_batches(plan: Plan) -> None:
    """Refuse a user's own file without batches, where each is to be imputed alone."""
    for source in plan.sources if plan.asks_batches else ():
        if isinstance(source, FileSource) and source.batch_key is None:
            raise InputError(
                f"{source.spec}: each batch can be imputed alone only where the batches are known: "
                "name their column of obs with --batch-key (batch_key of the file)"
            )


def _taking_part(
    suite: Suite, imputers: Sequence[str] | None, sources: Sequence[str | Source] | None
) -> Iterable[str]:
    """Return the specs of all imputers that a run names."""
    if imputers is not None or sources is not None:
        return suite.imputers if imputers is None else imputers
    return [name for item in suite.questions for name in item.imputers or suite.imputers]


def _names(specs: Iterable[str]) -> list[str]:
    """Return the bare names in specs such as ``magic[t=5]``."""
    return [split_spec(spec)[0] for spec in specs]


def _asked(
    suite: Suite,
    registry: Registry,
    answering: Answering,
    imputers: Sequence[str] | None,
    sources: Sequence[str | Source] | None,
    protocols: Sequence[str] | None,
    per: Company,
) -> tuple[list[Asked], list[tuple[Imputer, Protocol]]]:
    """Resolve every question, after making sure that nobody answers what it asks.

    With the questions come all pairs of a method and a protocol, whether it can be asked or not.
    """
    questions: Iterable[Question] = suite.questions
    given: dict[str, Source] = {}
    if sources is not None:
        texts = [item for item in sources if isinstance(item, str)]
        answering.check(registry, [("dataset", name) for name in _names(texts)])
        for item in sources:
            if not isinstance(item, str):
                answering.check_made("dataset", item)
            source = registry.dataset(item) if isinstance(item, str) else item
            given[source.spec] = source
        questions = [Question((spec,), _protocols(suite, given[spec])) for spec in given]
    if protocols is not None:
        questions = [replace(question, protocols=tuple(protocols)) for question in questions]
    controls = _controls(registry) if suite.controls else []
    asked: list[Asked] = []
    pairs: list[tuple[Imputer, Protocol]] = []
    for question in questions:
        datasets = [dataset for dataset in question.datasets if dataset not in given]
        answering.check(registry, [("dataset", name) for name in _names(datasets)])
        answering.check(registry, [("protocol", name) for name in _names(question.protocols)])
        names = imputers if imputers is not None else (question.imputers or suite.imputers)
        known = [registry.imputer(name) for name in names if name not in TRUTH_CONTROLS]
        chosen = _both_ways(known, per)
        made = [registry.protocol(protocol) for protocol in question.protocols]
        pairs += [(imputer, protocol) for imputer in chosen for protocol in made]
        for dataset in question.datasets:
            source = given.get(dataset) or registry.dataset(dataset)
            for protocol in made:
                imputers_asked = who_answers(chosen, controls, protocol)
                if imputers_asked or not chosen:
                    asked.append(Asked(source, protocol, imputers_asked))
    return asked, pairs


def _idle(registry: Registry, asked: Sequence[Asked]) -> tuple[str, ...]:
    taking_part = {imputer.name for item in asked for imputer in item.imputers}
    broken = tuple(
        f"plugin {plugin.name} failed to load, or a part of it: {plugin.reason}"
        for plugin in registry.broken_so_far
    )
    return broken + tuple(
        f"{file} brings {', '.join(names)}, which this run does not use: name it in --imputers"
        for file, names in registry.imputers_of_files().items()
        if not taking_part & {*names}
    )


def _besides(registry: Registry, answering: Answering, names: Sequence[str]) -> dict[str, str]:
    """Look up metrics that are scored besides (`Plan.metrics`); none may need what few give."""
    answering.check(registry, [("metric", name) for name in names])
    found = {}
    for name in names:
        metric = registry.metric(name)
        for need in sorted({*metric.needs, *metric.cell_needs} & {*OF_SOME_IMPUTERS}):
            raise InputError(
                f"the metric {name!r} needs {need}, which only some imputers give, so it cannot be "
                "asked of all: a protocol has to ask for it (docs/extending.md shows one)"
            )
        entry = registry.metrics.entry(name)
        assert entry is not None
        found[name] = entry.origin.digest or entry.origin.distribution
    return found


def _both_ways(imputers: Sequence[Imputer], per: Company) -> list[Imputer]:
    """Put each imputer on each batch alone behind itself, if so asked and it can be."""
    if per not in get_args(Company):
        raise InputError(f"per={per!r}; expected one of {', '.join(get_args(Company))}")
    if per == "all":
        return list(imputers)
    # Who leaves the data alone does so in any company, and coordinates of cells that never met have
    # nothing to do with each other.
    whole = [one for one in imputers if one.role == "nothing" or only_embedding(one.gives)]
    return [
        one
        for imputer in imputers
        for one in ([imputer] if imputer in whole else [imputer, alone(imputer)])
    ]


def _protocols(suite: Suite, source: Source) -> tuple[str, ...]:
    """What `suite` asks of a dataset it does not name: all it asks of any, or its own choice."""
    if suite.own_data and source.own:
        return suite.own_data
    return tuple(dict.fromkeys(name for q in suite.questions for name in q.protocols))


def _controls(registry: Registry) -> list[Imputer]:
    return [
        registry.imputer(spec)
        for imputer in registry.imputers.ours()
        if imputer.is_control
        for spec in imputer.control_specs or (imputer.name,)
    ]
