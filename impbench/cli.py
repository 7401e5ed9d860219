"""The command line: parses, calls, prints. Every command has its function in Python."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from impbench import (
    commands_list,
    commands_own_data,
    commands_regress,
    commands_results,
    commands_submit,
)
from impbench.command_help import Commands, Group
from impbench.commands_data import data_app
from impbench.commands_env import env_app
from impbench.commands_plugin import plugin_app
from impbench.options import (
    DataDir,
    Device,
    Jobs,
    Json,
    Memory,
    Plugin,
    Png,
    Quiet,
    Report,
    Suite,
    Threads,
    Timeout,
    load_plugins,
    option,
    use_folder,
)

if TYPE_CHECKING:
    from impbench.data.dataset import Source
    from impbench.runner.outcome import Results


class _Commands(Group):
    """Our own commands first; plugins are only loaded for a name that is not ours."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        from impbench.registry import registry

        added = registry().commands.get(cmd_name)
        return None if added is None else typer.main.get_command(added)


app = Commands(cls=_Commands)
app.add_typer(data_app, name="data")
app.add_typer(env_app, name="env")
app.add_typer(plugin_app, name="plugin")

_own = partial(option, panel="Your own file")
_reach = partial(option, panel="What methods may reach")
_cluster = partial(option, panel="Where to run")
_named = partial(option, metavar="NAMES", show_default="the suite's")
_Pem = Annotated[Path | None, _cluster("Encrypt: PEM file.")]
_Names = list[str] | None

NO_RESULT = 3
"""Exit status of a run that went to its end, but has no result of a method the user named."""


def _print_version(asked: bool) -> None:
    if asked:
        from impbench.version import __version__

        typer.echo(f"impbench {__version__}")
        raise typer.Exit


@app.callback()
def main_options(
    version: Annotated[
        bool, option("Print the version.", "--version", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Head-to-head benchmarks of imputation methods for single-cell RNA-seq."""


@app.command()
def run(
    suite: Suite = "default",
    imputers: Annotated[
        _Names, _named("Comma-separated or repeated, such as 'magic[t=5],maskclass-best'.")
    ] = None,
    datasets: Annotated[_Names, _named("Of datasets, likewise.")] = None,
    protocols: Annotated[_Names, _named("Of protocols, likewise.")] = None,
    metrics: Annotated[
        _Names,
        _named("Of metrics, likewise, scored besides the protocols' own.", show_default="none"),
    ] = None,
    data: Annotated[
        Path | None, _own("Your own file (h5ad, h5mu, loom, csv, tsv, mtx, 10x h5, rds).")
    ] = None,
    label_key: Annotated[str | None, _own("Column of obs with cell types.")] = None,
    drop_label: Annotated[
        list[str] | None,
        _own("Leave out the cells of this type, such as unknown; repeatable.", metavar="TYPE"),
    ] = None,
    batch_key: Annotated[str | None, _own("Column of obs with batches.")] = None,
    layer: Annotated[str | None, _own("Layer with raw counts.")] = None,
    scale: Annotated[
        str, _own("Scale of the file's values: auto, counts, lognorm or log1p.")
    ] = "auto",
    transpose: Annotated[bool, _own("The file is genes × cells.", "--transpose")] = False,
    genes: Annotated[int, _own("Highly variable genes to keep; 0 keeps all.")] = 1000,
    hvg: Annotated[str, _own("How: scran, scran_fill, seurat_v3, dispersion or none.")] = "scran",
    per: Annotated[
        str, _own("all, or batch: each method on all cells and on each batch alone.")
    ] = "all",
    seeds: Annotated[
        int | None, option("Number of repeats.", min=1, show_default="the suite's")
    ] = None,
    out: Annotated[Path | None, option("Output folder.", show_default="reports/SUITE")] = None,
    jobs: Jobs = None,
    threads: Threads = None,
    timeout: Timeout = None,
    memory: Memory = None,
    device: Device = "auto",
    fresh: Annotated[
        bool, option("Redo everything, or only what is missing.", "--fresh/--resume")
    ] = False,
    report: Report = True,
    png: Png = False,
    secret_seed: Annotated[
        bool, option("Simulate and mask with a seed drawn for this run.", "--secret-seed")
    ] = False,
    revealed_seed: Annotated[
        str | None, option("Repeat a run with --secret-seed: secret_seed of its manifest.json.")
    ] = None,
    against: Annotated[
        Path | None,
        option(
            "Folder of a published run of the suite: run only the named imputers, and show them "
            "among its rows."
        ),
    ] = None,
    dry_run: Annotated[bool, option("Print the jobs, run none.", "--dry-run")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
    plugin: Plugin = None,
    data_dir: DataDir = None,
    allow_read: Annotated[
        list[Path] | None,
        _reach(
            "Also readable for methods: model weights and the like; repeatable.", metavar="PATH"
        ),
    ] = None,
    allow_write: Annotated[
        list[Path] | None,
        _reach("Also writable for methods, such as /dev/shm; repeatable.", metavar="PATH"),
    ] = None,
    allow_network: Annotated[
        bool, _reach("Let methods use the network.", "--allow-network")
    ] = False,
    executor: Annotated[
        str | None,
        _cluster(
            "dask, slurm or what else `impbench list executors` shows.",
            show_default="this machine",
        ),
    ] = None,
    scheduler: Annotated[str | None, _cluster("For dask: its scheduler, tcp://HOST:8786.")] = None,
    workers: Annotated[
        int | None, _cluster("Batch jobs to submit.", min=1, show_default="1")
    ] = None,
    cluster_option: Annotated[
        list[str] | None,
        _cluster(
            "Of the batch jobs, as dask-jobqueue names it, such as cores=8; repeatable.",
            metavar="NAME=VALUE",
        ),
    ] = None,
    tls_ca_file: _Pem = None,
    tls_cert: _Pem = None,
    tls_key: _Pem = None,
    job_script: Annotated[
        bool, _cluster("Print the batch job's script, run none.", "--job-script")
    ] = False,
) -> None:
    """Put imputers head to head and write a report."""
    from impbench import api, terminal
    from impbench.errors import InputError
    from impbench.run_options import (
        command_line,
        narrowed,
        open_walls,
        read_executor,
        read_secret,
        read_settings,
        read_specs,
    )

    if allow_read:
        from impbench import plugin_view

        plugin_view.readable.update(path.resolve() for path in allow_read)
    use_folder(data_dir)
    load_plugins(plugin)
    sources: list[str | Source] | None = None if datasets is None else [*read_specs(datasets)]
    name = api.find_suite(suite)
    own: dict[str, Any] = {
        "label_key": label_key,
        "drop_labels": tuple(drop_label or ()),
        "batch_key": batch_key,
        "layer": layer,
        "scale": scale,
        "transpose": transpose,
    }
    if data is not None:
        from impbench.data.read import FileSource

        source = FileSource(path=str(data), genes=genes, hvg=cast(Any, hvg), **own)
        sources = [*(sources or []), source]
    elif any(value for value in own.values() if value != "auto"):
        named = ", ".join(f"--{key.replace('_', '-').removesuffix('s')}" for key in own)
        raise InputError(f"{named} need --data")
    choice: dict[str, Any] = {
        "imputers": None if imputers is None else read_specs(imputers),
        "datasets": sources,
        "protocols": None if protocols is None else read_specs(protocols),
        "seeds": seeds,
        "metrics": read_specs(metrics or []),
        "per": per,
    }
    if dry_run:
        if against is not None:
            raise InputError("--dry-run lists the jobs of a whole run: leave out --against")
        planned = api.plan(name, **choice)
        for text in planned.notices:
            typer.echo(text, err=True)
        for item in planned.sources:
            terminal.print_head(item)
        terminal.print_jobs(planned, as_json)
        return
    tls = {"tls_ca_file": tls_ca_file, "tls_cert": tls_cert, "tls_key": tls_key}
    where = read_executor(executor, scheduler, workers, cluster_option, tls)
    settings = read_settings(jobs, threads, timeout, memory, device, fresh)
    settings = open_walls(settings, allow_read, allow_write, allow_network)
    if job_script:
        typer.echo(api.job_script(where, settings), nl=False)
        return
    stem = data.stem if data is not None else name.name
    folder = out or Path("reports") / (stem if against is None else f"{stem}-against")
    secret = read_secret(secret_seed, revealed_seed)
    start: Callable[..., Results] = api.run
    choice["secret"] = secret
    if against is not None:
        from impbench.entry.against import place_among

        start, choice = partial(place_among, against), narrowed(choice)
    known = ["--revealed-seed", secret.value] if secret is not None else []
    with (
        terminal.resumable(folder, command_line(known)),
        terminal.display(quiet) as listener,
    ):
        results = start(
            name,
            folder,
            **choice,
            executor=where,
            settings=settings,
            listener=listener,
            command=command_line(),
            report=report,
            png=png,
        )
    terminal.print_results(results, quiet, as_json)
    if results.without_result:
        raise typer.Exit(NO_RESULT)


app.add_typer(commands_regress.baseline_app, name="baseline")
app.command()(commands_results.index)
app.command("list")(commands_list.list_)
for command in (
    commands_list.info,
    commands_own_data.impute,
    commands_own_data.inspect,
    commands_regress.check,
    commands_regress.compare,
    commands_results.report,
    commands_results.merge,
    commands_submit.submit,
):
    app.command()(command)


def main() -> None:
    """Run the command line; errors meant for the user are printed without a traceback."""
    from impbench.errors import ImpbenchError
    from impbench.escape_text import visible

    try:
        app()
    except ImpbenchError as error:
        typer.echo(f"impbench: {visible(str(error))}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
