"""Make the manifest of several runs together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from impbench.merging.inputs import MergeInput
from impbench.results.manifest import AboutMachine, AboutMerged, AboutSuite, RunManifest

T = TypeVar("T")

StillReplaced = Callable[[RunManifest], Sequence[str]]
"""Says what of a suite the runs lack together, given their manifest."""


def unite(
    runs: Sequence[MergeInput],
    keys: Iterable[str],
    complete: bool,
    still_replaced: StillReplaced,
    command: str = "",
) -> RunManifest:
    """Return what all `runs` say, each part once, in the order of the runs.

    Parameters
    ----------
    keys
        Those of the records, in order.
    complete
        Whether each of them has a record: then what one run left undone, another did.
    still_replaced
        Asked where one run of a suite replaced a part of it: together they may have it all.
    command
        What would put them together again.
    """
    told = [run.manifest for run in runs]
    datasets = _joined(one.datasets for one in told)
    place = {name: i for i, name in enumerate(datasets)}
    problems = tuple(
        sorted(
            _once(item for one in told for item in one.problems),
            key=lambda item: place.get(item.dataset, len(place)),
        )
    )
    posed = {(item.dataset, item.protocol) for item in problems}
    ended = [time for one in told for time in (one.finished, one.started) if time]
    merged = RunManifest(
        suite=_suite([one.suite for one in told]),
        command=command,
        scoring=told[0].scoring,
        started=min((one.started for one in told if one.started), default=None),
        finished=max(ended, default=None) if complete else None,
        interrupted=not complete and any(one.interrupted for one in told),
        keys=tuple(keys),
        seeds=tuple(sorted({seed for one in told for seed in one.seeds})),
        datasets=datasets,
        protocols=_joined(one.protocols for one in told),
        problems=problems,
        imputers=_joined(one.imputers for one in told),
        third_party=_once(item for one in told for item in one.third_party),
        # Where one machine lacked a dataset, another may have had it.
        skipped=_once(
            item
            for one in told
            for item in one.skipped
            if item.metric or (item.dataset, item.protocol) not in posed
        ),
        unasked=_once(item for one in told for item in one.unasked),
        broken_plugins=_once(item for one in told for item in one.broken_plugins),
        environment=_machine([one.environment for one in told]),
        secret_seed=told[0].secret_seed,
        merged=_once(part for run in runs for part in _parts(run)),
    )
    if merged.suite.replaced:
        suite = dataclasses.replace(merged.suite, replaced=tuple(still_replaced(merged)))
        merged = dataclasses.replace(merged, suite=suite)
    return merged


def _parts(run: MergeInput) -> Sequence[AboutMerged]:
    """Return the runs that `run` was put together from, or itself."""
    return run.manifest.merged or [run.manifest.as_part(run.label)]


def _once(items: Iterable[T]) -> tuple[T, ...]:
    """Leave out what is there already; such items have no hash."""
    found: list[T] = []
    for item in items:
        if item not in found:
            found.append(item)
    return tuple(found)


def _joined(parts: Iterable[Mapping[str, T]]) -> dict[str, T]:
    joined: dict[str, T] = {}
    for part in parts:
        joined |= {name: about for name, about in part.items() if name not in joined}
    return joined


def _suite(suites: Sequence[AboutSuite]) -> AboutSuite:
    replaced = _once(part for suite in suites for part in suite.replaced)
    if len({suite.name for suite in suites}) == 1:
        return dataclasses.replace(suites[0], replaced=replaced)
    names, titles = (
        " + ".join(dict.fromkeys(getattr(suite, what) for suite in suites))
        for what in ("name", "title")
    )
    return AboutSuite(names, titles, "", replaced)


def _machine(machines: Sequence[AboutMachine]) -> AboutMachine:
    """Say what is the same of all; of texts that differ, all of them; else nothing."""
    versions: dict[str, list[str]] = {}
    for machine in machines:
        for package, version in machine.versions.items():
            versions.setdefault(package, []).append(version)
    facts: dict[str, Any] = {
        item.name: _common([getattr(machine, item.name) for machine in machines])
        for item in dataclasses.fields(AboutMachine)
        if item.name not in ("versions", "opened")
    }
    return AboutMachine(
        **facts,
        versions={package: _common(texts) for package, texts in sorted(versions.items())},
        opened=tuple(dict.fromkeys(path for machine in machines for path in machine.opened)),
    )


def _common(values: Sequence[Any]) -> Any:
    different = list(dict.fromkeys(values))
    if len(different) == 1:
        return different[0]
    texts = [value for value in different if value and isinstance(value, str)]
    return " / ".join(texts) if texts else None
