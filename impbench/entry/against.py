"""Place methods among the rows of a published run, without running the rest again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from impbench import api
from impbench.entry.controls import check_controls, choose_controls
from impbench.errors import InputError
from impbench.merging.inputs import MergeInput, read_input
from impbench.merging.merge import merge
from impbench.plan.keys import code_version
from impbench.plan.plan import Plan, make_plan
from impbench.plan.suite import Suite
from impbench.registry import Registry, registry
from impbench.results.record import SCORING
from impbench.runner.outcome import Results
from impbench.runner.run import RunRequest, run_plan
from impbench.runner.secret import Secret
from impbench.runner.settings import Listener, Settings

OWN = "entry"
"""Folder within the output folder where the own run is kept, and resumed from."""


def place_among(
    published: Path,
    suite: Suite,
    out: Path,
    *,
    imputers: Sequence[str] | None = None,
    datasets: Sequence[str] | None = None,
    protocols: Sequence[str] | None = None,
    executor: str,
    settings: Settings | None = None,
    listener: Listener | None = None,
    command: str = "",
    report: bool = True,
    png: bool = False,
) -> Results:
    """Run `imputers` on the questions and seeds of a published run, and show all its rows.

    Before them, two or more of its controls are run; their scores must be the published ones
    (`impbench.entry.controls`).

    Parameters
    ----------
    published
        Folder of the published run; only read.
    suite
        Which it is a run of.
    out
        Folder for both together; what was run here is kept in ``entry/`` there.
    imputers
        Specs; None takes those of the plugin files that are loaded.
    datasets, protocols
        Leave out all others; None takes what was published.

    Raises
    ------
    InputError
        If the published run was scored by other rules or is of another suite, nothing is left to
        ask, a published row of the same name is of another version, or a control differs.
    """
    tell: Listener = listener or Listener()
    known, rows = registry(), read_input(published)
    _check_published(rows, suite)
    _check_out(published, out)
    named = _named(known, imputers)
    for text in _check_versions(rows, known, named):
        tell.noticed(text)
    questions = {(item.dataset, item.protocol) for item in rows.manifest.problems}
    _check_asked("dataset", [known.dataset(name).spec for name in datasets or ()], rows)
    _check_asked("protocol", [known.protocol(name).spec for name in protocols or ()], rows)

    def plan_of(specs: Sequence[str], asked: set[tuple[str, str]]) -> Plan:
        whole = make_plan(
            replace(suite, controls=False),
            known,
            imputers=specs,
            sources=datasets,
            protocols=protocols,
            seeds=rows.manifest.seeds,
        )
        kept = [item for item in whole.asked if (item.source.spec, item.protocol.spec) in asked]
        return replace(whole, asked=tuple(kept))

    wanted = plan_of(named, questions)
    questions = {(item.source.spec, item.protocol.spec) for item in wanted.asked}
    if not questions:
        raise InputError(
            f"{published} has none of the questions that {', '.join(named)} could answer"
        )
    controls = choose_controls(rows, known, questions)
    settings = settings or Settings()
    if settings.timeout is None:
        settings = replace(settings, timeout=suite.timeout)
    # A method must not look its score up.
    hidden = (published.resolve(), out.resolve())
    settings = replace(settings, openings=replace(settings.openings, hidden=hidden))
    folder = out.resolve() / OWN
    secret = Secret(rows.manifest.secret_seed) if rows.manifest.secret_seed else None

    def request(plan: Plan) -> RunRequest:
        where = api.find_executor(executor, plan.answering)
        return RunRequest(plan, folder, known, where, settings, secret, command)

    tell.noticed(f"{', '.join(controls)} first, to see that scores here are the published ones")
    run_plan(request(plan_of(controls, questions)), tell, report=False)
    check_controls(rows, read_input(folder))
    both = plan_of([*named, *(spec for spec in controls if spec not in named)], questions)
    results = run_plan(request(both), tell, report=False)
    merged = merge(
        [rows, read_input(folder)],
        out,
        known,
        prefer="first",
        suite=suite,
        replaces=True,
        command=command,
    )
    for text in merged.notes:
        tell.noticed(text)
    page = None
    if report:
        from impbench.report import write_report

        tell.reporting()
        page = write_report(merged.stored, png)
    return replace(results, stored=merged.stored, scores=merged.table, report=page)


def _check_published(rows: MergeInput, suite: Suite) -> None:
    told = rows.manifest
    if told.scoring != SCORING:
        raise InputError(
            f"{rows.name} was scored by version {told.scoring} of the scoring; this impbench, of "
            f"version {SCORING}, would give the same imputation other scores: use the impbench "
            f"that it was published with ({told.environment.impbench})"
        )
    if told.suite.name != suite.name:
        raise InputError(
            f"{rows.name} is a run of the suite {told.suite.name}, not of {suite.name}: name that "
            "with --suite"
        )


def _check_out(published: Path, out: Path) -> None:
    theirs = out.resolve() == published.resolve()
    other = (out / "manifest.json").exists() and not (out / OWN / "manifest.json").exists()
    if theirs or other:
        what = "is the published run itself" if theirs else "holds another run"
        raise InputError(f"{out} {what}: choose another folder with --out")


def _check_asked(
    what: Literal["dataset", "protocol"], specs: Sequence[str], rows: MergeInput
) -> None:
    there = {getattr(item, what) for item in rows.manifest.problems}
    if lacking := [spec for spec in specs if spec not in there]:
        raise InputError(
            f"{rows.name} asks nothing of the {what} {' or '.join(lacking)}; it has: "
            f"{', '.join(sorted(there))}"
        )


def _named(known: Registry, imputers: Sequence[str] | None) -> list[str]:
    if imputers is None:
        imputers = [name for names in known.imputers_of_files().values() for name in names]
    if not imputers:
        raise InputError(
            "nothing to place among the published rows: name methods with --imputers, or give a "
            "file with --plugin"
        )
    return list(dict.fromkeys(known.imputer(name).spec for name in imputers))


def _check_versions(rows: MergeInput, known: Registry, named: Sequence[str]) -> list[str]:
    """Return what to say of methods that are published already."""
    notes = []
    for spec in named:
        about = rows.manifest.imputers.get(spec)
        if about is None:
            continue
        here = code_version(type(known.imputer(spec)))
        if about.version != here:
            raise InputError(
                f"{rows.name} has {spec} of version {about.version}, and here it is {here}: two "
                "versions cannot share a row; give yours another name"
            )
        notes.append(f"{spec} is published already; where both have a result, the published counts")
    return notes
