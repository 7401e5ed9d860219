"""The commands `baseline create`, `check` and `compare`, which tell whether scores still hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from impbench.command_help import Commands
from impbench.options import Json, load_plugins, option

baseline_app = Commands(help="Scores to hold later runs against.")

_Run = Annotated[Path, typer.Argument(help="Folder that `impbench run` wrote.")]
_Plugin = Annotated[
    list[Path] | None,
    option("Python file that defines metrics of the run; repeatable.", "--plugin", metavar="FILE"),
]
_Floor = Annotated[
    list[str] | None,
    option(
        "Change that does not matter, such as mse=0.5% (of the baseline's mean) or ari=0.01; "
        "repeatable.",
        metavar="METRIC=CHANGE",
        show_default="0.5%, or 0.005 for indices between bounds",
    ),
]
_Alpha = Annotated[
    float | None,
    option("Largest chance of any false alarm, by the tests.", show_default="0.005"),
]


@baseline_app.command("create")
def baseline_create(
    run: _Run,
    out: Annotated[Path, option("JSON file to write.", "--out", "-o")],
    plugin: _Plugin = None,
) -> None:
    """Keep a run's scores, to hold later runs against."""
    from impbench.regress.baseline import write_baseline
    from impbench.regress.measured import measure

    load_plugins(plugin)
    measured = measure(run)
    write_baseline(measured, out)
    kept = measured.reproducible()
    typer.echo(f"{out}: {len(kept.scores)} scores, {len(kept.seeds)} seeds")
    if measured.build_bound:
        names = ", ".join(sorted(measured.build_bound))
        typer.echo(f"left out, as its seeds hold on this build of its libraries alone: {names}")


def check(
    run: _Run,
    baseline: Annotated[Path, option("As `baseline create` wrote.", "--baseline", "-b")],
    floor: _Floor = None,
    alpha: _Alpha = None,
    allow_missing: Annotated[
        bool, option("Only a part of the baseline was run.", "--allow-missing")
    ] = False,
    fail_on_runtime: Annotated[
        bool, option("A slower method fails the check.", "--fail-on-runtime")
    ] = False,
    max_slowdown: Annotated[
        float | None, option("Slowdown that does not matter, such as 1.5.", show_default="1.25")
    ] = None,
    control: Annotated[
        str | None, option("Imputer whose runtime is the unit of the others'.")
    ] = None,
    as_json: Json = False,
    junit: Annotated[Path | None, option("Write JUnit XML too.")] = None,
    markdown: Annotated[Path | None, option("Write Markdown too.")] = None,
    plugin: _Plugin = None,
) -> None:
    """Hold a run against a baseline: status 0 as good, 1 worse, 2 cannot be compared."""
    from impbench.errors import ImpbenchError
    from impbench.regress import check as judge
    from impbench.regress import output
    from impbench.regress.baseline import read_baseline
    from impbench.regress.measured import measure
    from impbench.regress.rules import ALPHA, Rules, read_floors
    from impbench.regress.runtime import MAX_SLOWDOWN

    try:
        load_plugins(plugin)
        base = read_baseline(baseline)
        rules = Rules(
            alpha=ALPHA if alpha is None else alpha,
            floors=read_floors(floor or [], base.metrics),
            allow_missing=allow_missing,
            control=control or "",
            max_slowdown=MAX_SLOWDOWN if max_slowdown is None else max_slowdown,
            fail_on_runtime=fail_on_runtime,
        )
        found = judge.check(base, measure(run), rules)
    except ImpbenchError as error:
        # Whoever reads only the files must not take an older one for this check.
        _write(junit, output.junit_error(str(error)))
        _write(markdown, output.markdown_error(str(error)))
        if as_json:
            typer.echo(json.dumps(output.error_as_json(str(error)), indent=1))
        raise
    _write(junit, output.junit(found))
    _write(markdown, output.markdown(found, str(run), str(baseline)))
    if as_json:
        typer.echo(json.dumps(output.as_json(found, str(run), str(baseline)), indent=1))
    else:
        output.print_check(found, str(run), str(baseline))
    raise typer.Exit(found.exit_code)


def compare(
    run_a: _Run,
    run_b: _Run,
    floor: _Floor = None,
    alpha: _Alpha = None,
    as_json: Json = False,
    plugin: _Plugin = None,
) -> None:
    """Show two runs side by side, with the statistics of `check`."""
    from impbench.regress import check as judge
    from impbench.regress import output
    from impbench.regress.measured import measure
    from impbench.regress.rules import ALPHA, Rules, read_floors

    load_plugins(plugin)
    a, b = measure(run_a), measure(run_b)
    rules = Rules(
        alpha=ALPHA if alpha is None else alpha,
        floors=read_floors(floor or [], a.metrics),
        allow_missing=True,
        any_suite=True,
    )
    found = judge.check(a, b, rules)
    if as_json:
        typer.echo(json.dumps(output.as_json(found), indent=1))
    else:
        output.print_comparison(found, str(run_a), str(run_b))


def _write(path: Path | None, text: str) -> None:
    """Write as any program would: the path may be a pipe or a CI server's own file."""
    from impbench.errors import InputError

    try:
        if path is not None:
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error
