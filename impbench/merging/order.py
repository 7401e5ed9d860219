"""Put records of several runs into the order that one run would have, as far as it is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from impbench.merging.inputs import MergeInput
from impbench.results.record import Record


def in_order(runs: Sequence[MergeInput], records: Iterable[Record]) -> list[Record]:
    """Sort by dataset, by what was shown to the imputer, then methods, controls, who sees truth.

    Datasets, methods and questions come as the runs have them, one run after the other. A run
    stores side by side what it scored of one imputation; so it tells which questions showed the
    same.
    """
    datasets = _places(name for run in runs for name in run.manifest.datasets)
    about = {spec: run.manifest.imputer(spec) for run in runs for spec in run.manifest.imputers}
    controls = {spec for spec, told in about.items() if told.is_control}
    seeing = {spec for spec, told in about.items() if told.needs_truth}
    seen = _places(record.job.imputer for run in runs for record in run.records.values())
    views, questions = _views(runs)

    def turn(record: Record) -> tuple[int, ...]:
        job = record.job
        question = (job.dataset, job.protocol)
        return (
            datasets.get(job.dataset, len(datasets)),
            views[question],
            (job.imputer in controls) + (job.imputer in seeing),
            seen[job.imputer],
            job.seed,
            questions[question],
        )

    return sorted(records, key=turn)


def _places(names: Iterable[str]) -> dict[str, int]:
    return {name: place for place, name in enumerate(dict.fromkeys(names))}


_Question = tuple[str, str]


def _views(runs: Sequence[MergeInput]) -> tuple[Mapping[_Question, int], Mapping[_Question, int]]:
    """Return the place of what each question showed, and each question's own place."""
    views: dict[_Question, int] = {}
    questions: dict[_Question, int] = {}
    for run in runs:
        jobs = (record.job for record in run.records.values())
        for _, group in groupby(jobs, lambda job: (job.dataset, job.imputer, job.seed)):
            together = [(job.dataset, job.protocol) for job in group]
            view = next((views[item] for item in together if item in views), len(views))
            for item in together:
                views.setdefault(item, view)
                questions.setdefault(item, len(questions))
    return views, questions
