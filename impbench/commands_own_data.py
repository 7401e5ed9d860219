"""The commands `impute` and `inspect`, for a user's own file."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from impbench.options import Device, Plugin, load_plugins, option

_result = partial(option, panel="The result")


def impute(
    file: Annotated[Path, typer.Argument(help="Whatever `impbench run --data` reads.")],
    method: Annotated[str, option("Such as maskclass-balanced.", "--method", "-m")],
    out: Annotated[Path, option("h5ad to write.", "--out", "-o")],
    layer: Annotated[str | None, option("Layer with raw counts, X or raw.X.")] = None,
    scale: Annotated[
        str, option("Scale of the file's values: auto, counts, lognorm or log1p.")
    ] = "auto",
    transpose: Annotated[bool, option("The file is genes × cells.", "--transpose")] = False,
    batch_key: Annotated[str | None, option("Column of obs with batches.")] = None,
    per: Annotated[
        str, option("all, or batch: each batch of --batch-key is imputed alone.")
    ] = "all",
    n_groups: Annotated[
        int | None, option("Number of cell groups, if the method needs it.", min=1)
    ] = None,
    seed: Annotated[int, option("Of everything random.")] = 1,
    device: Device = "cpu",
    threads: Annotated[int, option("Threads that the method may use.", min=1)] = 1,
    plugin: Plugin = None,
    key_added: Annotated[str, _result("Name of the new layer.")] = "imputed",
    overwrite: Annotated[
        bool, _result("Replace what has that name already.", "--overwrite")
    ] = False,
    output_scale: Annotated[str, _result("log2, ln (as scanpy has it) or counts.")] = "log2",
    genes_to_keep: Annotated[
        Path | None,
        _result("File of gene names, one a line: imputed values of these only, stored sparse."),
    ] = None,
    sparse: Annotated[bool, _result("Store no zeros.", "--sparse")] = False,
    dtype: Annotated[str, _result("float32, or float16 for half the room.")] = "float32",
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
