"""The command line: parses, calls, prints. Every command has its function in Python."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from impbench import (
    commands_index,
    commands_list,
    commands_own_data,
    commands_regress,
    commands_results,
    commands_submit,
)
from impbench.command_help import Commands, Group
from impbench.commands_data import DataDir, data_app, use_folder
from impbench.commands_env import env_app
from impbench.commands_plugin import plugin_app
from impbench.plugin_option import Plugin, load_plugins

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

_Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:N or auto.")]
_Png = Annotated[bool, typer.Option("--png", help="Figures as PNG too, beside SVG.")]
_OWN = "Your own file"
_LIMITS = "Limits"
_REACH = "What methods may reach"
_CLUSTER = "Where to run"
_Pem = Annotated[Path | None, typer.Option(help="Encrypt: PEM file.", rich_help_panel=_CLUSTER)]
_Names = list[str] | None


def _named(what: str, default: str = "the suite's") -> Any:
    return typer.Option(metavar="NAMES", help=what, show_default=default)


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
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Head-to-head benchmarks of imputation methods for single-cell RNA-seq."""


@app.command()
def run(
    suite: Annotated[str, typer.Option(help="Name of a suite, or a TOML file.")] = "default",
    imputers: Annotated[
        _Names, _named("Comma-separated or repeated, such as 'magic[t=5],maskclass-best'.")
    ] = None,
    datasets: Annotated[_Names, _named("Of datasets, likewise.")] = None,
    protocols: Annotated[_Names, _named("Of protocols, likewise.")] = None,
    metrics: Annotated[
        _Names, _named("Of metrics, likewise, scored besides the protocols' own.", "none")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Your own file (h5ad, h5mu, loom, csv, tsv, mtx, 10x h5, rds).",
            rich_help_panel=_OWN,
        ),
    ] = None,
    label_key: Annotated[
        str | None, typer.Option(help="Column of obs with cell types.", rich_help_panel=_OWN)
    ] = None,
    drop_label: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TYPE",
            help="Leave out the cells of this type, such as unknown; repeatable.",
            rich_help_panel=_OWN,
        ),
    ] = None,
    batch_key: Annotated[
        str | None, typer.Option(help="Column of obs with batches.", rich_help_panel=_OWN)
    ] = None,
    layer: Annotated[
        str | None, typer.Option(help="Layer with raw counts.", rich_help_panel=_OWN)
    ] = None,
    scale: Annotated[
        str,
        typer.Option(
            help="Scale of the file's values: auto, counts, lognorm or log1p.", rich_help_panel=_OWN
        ),
    ] = "auto",
    transpose: Annotated[
        bool, typer.Option("--transpose", help="The file is genes × cells.", rich_help_panel=_OWN)
    ] = False,
    genes: Annotated[
        int, typer.Option(help="Highly variable genes to keep; 0 keeps all.", rich_help_panel=_OWN)
    ] = 1000,
    hvg: Annotated[
        str,
        typer.Option(
            help="How: scran, scran_fill, seurat_v3, dispersion or none.", rich_help_panel=_OWN
        ),
    ] = "scran",
    per: Annotated[
        str,
        typer.Option(
            help="all, or batch: each method on all cells and on each batch alone.",
            rich_help_panel=_OWN,
        ),
    ] = "all",
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Number of repeats.", show_default="the suite's")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Output folder.", show_default="reports/SUITE")
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            min=1,
            help="Workers at once.",
            show_default="cores",
            rich_help_panel=_LIMITS,
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Threads per worker.",
            show_default="cores / workers",
            rich_help_panel=_LIMITS,
        ),
    ] = None,
    timeout: Annotated[
        str | None,
        typer.Option(
            help="Per job, such as 90s, 20m, 2h or none.",
            show_default="the suite's, or 1h",
            rich_help_panel=_LIMITS,
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            help="Per worker, such as 4GB.",
            show_default="90 % shared evenly",
            rich_help_panel=_LIMITS,
        ),
    ] = None,
    device: _Device = "auto",
    fresh: Annotated[
        bool, typer.Option("--fresh/--resume", help="Redo everything, or only what is missing.")
    ] = False,
    report: Annotated[
        bool, typer.Option("--report/--no-report", help="Write the page, or the scores alone.")
    ] = True,
    png: _Png = False,
    secret_seed: Annotated[
        bool,
        typer.Option("--secret-seed", help="Simulate and mask with a seed drawn for this run."),
    ] = False,
    revealed_seed: Annotated[
        str | None,
        typer.Option(help="Repeat a run with --secret-seed: secret_seed of its manifest.json."),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a published run of the suite: run only the named imputers, and show "
            "them among its rows.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the jobs, run none.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    plugin: Plugin = None,
    data_dir: DataDir = None,
    allow_read: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH",
            help="Also readable for methods: model weights and the like; repeatable.",
            rich_help_panel=_REACH,
        ),
    ] = None,
    allow_write: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH",
            help="Also writable for methods, such as /dev/shm; repeatable.",
            rich_help_panel=_REACH,
        ),
    ] = None,
    allow_network: Annotated[
        bool,
        typer.Option(
            "--allow-network", help="Let methods use the network.", rich_help_panel=_REACH
        ),
    ] = False,
    executor: Annotated[
        str | None,
        typer.Option(
            help="dask, slurm or what else `impbench list executors` shows.",
            show_default="this machine",
            rich_help_panel=_CLUSTER,
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(help="For dask: its scheduler, tcp://HOST:8786.", rich_help_panel=_CLUSTER),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, help="Batch jobs to submit.", show_default="1", rich_help_panel=_CLUSTER
        ),
    ] = None,
    cluster_option: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Of the batch jobs, as dask-jobqueue names it, such as cores=8; repeatable.",
            rich_help_panel=_CLUSTER,
        ),
    ] = None,
    tls_ca_file: _Pem = None,
    tls_cert: _Pem = None,
    tls_key: _Pem = None,
    job_script: Annotated[
        bool,
        typer.Option(
            "--job-script", help="Print the batch job's script, run none.", rich_help_panel=_CLUSTER
        ),
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
    from impbench.runner.sigterm import Terminated

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
    try:
        with terminal.display(quiet) as listener:
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
    except KeyboardInterrupt as stopped:
        typer.echo(f"\nstopped; {folder} keeps what is finished. To go on:", err=True)
        known = ["--revealed-seed", secret.value] if secret is not None else []
        typer.echo(f"  {command_line(known)}", err=True)
        raise typer.Exit(143 if isinstance(stopped, Terminated) else 130) from None
    terminal.print_results(results, quiet, as_json)
    if results.without_result:
        raise typer.Exit(NO_RESULT)


for commands in (
    commands_index,
    commands_list,
    commands_own_data,
    commands_regress,
    commands_results,
    commands_submit,
):
    commands.mount(app)


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
