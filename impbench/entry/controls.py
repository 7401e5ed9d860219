"""Hold this machine against a published run: the same controls must give the same scores."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from statistics import median

from impbench.errors import ImpbenchError, InputError
from impbench.merging.agree import check_agreement, some_of
from impbench.merging.conflicts import differences
from impbench.merging.inputs import MergeInput
from impbench.registry import Registry
from impbench.results.manifest import NOTHING
from impbench.results.record import Record

FEWEST = 2
"""Controls that are run again, at least."""


def choose_controls(
    published: MergeInput, registry: Registry, questions: Collection[tuple[str, str]]
) -> list[str]:
    """Choose two controls of a published run that cost little and draw nothing at random.

    First the one that leaves the data alone, then the quickest; more where these answer not all of
    the `questions` that some control answers.

    Raises
    ------
    InputError
        If the run has fewer than two that are known here.
    """
    answered: dict[str, set[tuple[str, str]]] = {}
    seconds: dict[str, list[float]] = {}
    for record in published.records.values():
        job = record.job
        if record.status == "ok" and (job.dataset, job.protocol) in questions:
            answered.setdefault(job.imputer, set()).add((job.dataset, job.protocol))
            seconds.setdefault(job.imputer, []).append(
                record.cost.wall_seconds if record.cost else 0
            )
    told = {spec: published.manifest.imputer(spec) for spec in answered}
    able = [
        spec
        for spec, about in told.items()
        if about.is_control
        and not about.needs_truth
        and about.stochastic is False
        and _is_known(registry, spec)
    ]
    able.sort(key=lambda spec: (told[spec].role != NOTHING, median(seconds[spec])))
    if len(able) < FEWEST:
        raise InputError(
            f"{published.name} cannot be added to: two controls that draw nothing at random must "
            "be run again, to see that scores mean the same here; of those that are known here it "
            f"has {' and '.join(able) or 'none'}"
        )
    chosen = able[:FEWEST]
    seen = {question for spec in chosen for question in answered[spec]}
    for spec in able[FEWEST:]:
        if not answered[spec] <= seen:
            chosen.append(spec)
            seen |= answered[spec]
    return chosen


def _is_known(registry: Registry, spec: str) -> bool:
    try:
        registry.imputer(spec)
    except ImpbenchError:
        return False
    return True


def check_controls(published: MergeInput, again: MergeInput) -> None:
    """Refuse to add to a published run what was measured where its controls score otherwise.

    Parameters
    ----------
    again
        A run of some of its questions by its controls.

    Raises
    ------
    InputError
        If both do not ask the same (`check_agreement`), have no job in common, or a control's
        scores differ by more than rounding; names every difference.
    """
    check_agreement([published, again])
    known = {record.job.cell: record for record in published.records.values()}
    common = [
        (known[record.job.cell], record)
        for record in again.records.values()
        if published.manifest.imputer(record.job.imputer).is_control and record.job.cell in known
    ]
    if not common:
        raise InputError(f"{published.name} has no job of a control that was run here")
    found = [text for old, new in common for text in _differing(old, new)]
    if found:
        raise InputError(
            f"the controls of {published.name} have other scores here, so a method that is run "
            f"here cannot be placed among its rows:\n  {some_of(found)}"
        )


def _differing(old: Record, new: Record) -> Iterator[str]:
    if old.status != new.status:
        reason = f" ({new.reason})" if new.reason else ""
        yield f"{old.job}: published as {old.status}, here {new.status}{reason}"
        return
    for item in differences(old, new):
        a, b = ("none" if value is None else f"{value:.9g}" for value in item[1:])
        yield f"{old.job}, {item.metric}: published as {a}, here {b}"
