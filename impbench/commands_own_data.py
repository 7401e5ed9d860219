"""The commands `impute` and `inspect`, for a user's own file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from impbench.command_help import Commands
from impbench.plugin_option import Plugin, load_plugins


def mount(app: Commands) -> None:
    """Add the commands to the command line."""
    app.command()(impute)
    app.command()(inspect)


_RESULT = "The result"


def impute(
    file: Annotated[Path, typer.Argument(help="Whatever `impbench run --data` reads.")],
    method: Annotated[str, typer.Option("--method", "-m", help="Such as maskclass-balanced.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="h5ad to write.")],
    layer: Annotated[str | None, typer.Option(help="Layer with raw counts, X or raw.X.")] = None,
    scale: Annotated[
        str, typer.Option(help="Scale of the file's values: auto, counts, lognorm or log1p.")
    ] = "auto",
    transpose: Annotated[
        bool, typer.Option("--transpose", help="The file is genes × cells.")
    ] = False,
    batch_key: Annotated[str | None, typer.Option(help="Column of obs with batches.")] = None,
    per: Annotated[
        str, typer.Option(help="all, or batch: each batch of --batch-key is imputed alone.")
    ] = "all",
    n_groups: Annotated[
        int | None, typer.Option(min=1, help="Number of cell groups, if the method needs it.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 1,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:N or auto.")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="Threads that the method may use.")] = 1,
    plugin: Plugin = None,
    key_added: Annotated[
        str, typer.Option(help="Name of the new layer.", rich_help_panel=_RESULT)
    ] = "imputed",
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Replace what has that name already.", rich_help_panel=_RESULT
        ),
    ] = False,
    output_scale: Annotated[
        str,
        typer.Option(help="log2, ln (as scanpy has it) or counts.", rich_help_panel=_RESULT),
    ] = "log2",
    genes_to_keep: Annotated[
        Path | None,
        typer.Option(
            help="File of gene names, one a line: imputed values of these only, stored sparse.",
            rich_help_panel=_RESULT,
        ),
    ] = None,
    sparse: Annotated[
        bool, typer.Option("--sparse", help="Store no zeros.", rich_help_panel=_RESULT)
    ] = False,
    dtype: Annotated[
        str, typer.Option(help="float32, or float16 for half the room.", rich_help_panel=_RESULT)
    ] = "float32",
) -> None:
    """Apply one method to your own data: a new layer, everything else untouched.

    Of a method that gives only an embedding: new coordinates in obsm.
    """
    from impbench.apply.file import impute_file

    load_plugins(plugin)
    written = impute_file(
        file,
        out,
        method,
        transpose=transpose,
        layer=layer,
        scale=scale,
        batch_key=batch_key,
        per=per,
        n_groups=n_groups,
        seed=seed,
        device=device,
        threads=threads,
        key_added=key_added,
        overwrite=overwrite,
        output_scale=output_scale,
        genes_to_keep=genes_to_keep,
        sparse=sparse,
        dtype=dtype,
    )
    if "scale" in written.entry:
        made = f"layer {key_added!r} holds {written.entry['scale']}"
    else:
        n = written.entry["dimensions"]
        made = f"{written.place} holds an embedding of {n} dimensions"
    typer.echo(f"{out}: {made} by {method}")
    for step in written.entry["steps"]:
        typer.echo(f"  {step}")
    if written.hint:
        typer.echo(f"  {written.hint}")


def inspect(
    file: Annotated[Path, typer.Argument(help="Whatever `impbench run --data` reads.")],
) -> None:
    """Say what your own file holds: matrices, scales, names, labels, and how to run it."""
    from impbench.escape_text import visible
    from impbench.inspection.inspect import inspect as look

    typer.echo(visible(str(look(file))))
