"""Look at the head of a user's file before a run: what would be refused is refused now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from impbench.data.annotation import read_batch, read_labels
from impbench.data.counts import to_counts
from impbench.data.names import check_names, check_orientation
from impbench.data.read import FileSource, advice, choose_matrix, read_counts_file
from impbench.inspection.contents import Contents, open_contents
from impbench.inspection.stored import read_head


def look_at_head(source: FileSource) -> str:
    """Return one line on what a run would take from the file.

    Of an h5ad file, the tables of cells and genes and the first values of each matrix are read;
    of any other file all of it.

    Raises
    ------
    InputError, UnavailableError
        What loading the file would say, as far as its head shows it.
    """
    path = Path(source.path).expanduser()
    if path.suffix != ".h5ad" or not path.is_file():
        dataset = read_counts_file(
            path,
            source.label_key,
            source.batch_key,
            source.layer,
            source.scale,
            source.transpose,
            source.drop_labels,
        )
        return _line(path, dataset.n_cells, dataset.n_genes, dataset.steps[-2:-1], dataset.labels)
    with open_contents(path) as contents:
        return _head_of(contents, source, str(path))


def _head_of(contents: Contents, source: FileSource, where: str) -> str:
    if source.transpose != (contents.transposed is not None):
        contents = _turned(contents)
    cells, genes = contents.cells, contents.genes
    held = {}
    # In the order in which counts are looked for: layers, raw.X, X.
    for stored in sorted(contents.matrices, key=lambda m: -_ORDER.get(m.name, 2)):
        table = contents.raw_genes if stored.name == "raw.X" else genes
        held[stored.place] = (read_head(stored), (genes if table is None else table).index)
    names = list(map(str, cells.index))
    values, step = choose_matrix(held, names, where, source.layer, source.scale)
    check_names(values.cells, f"{where}: cell name", "adata.obs_names_make_unique()")
    check_names(values.genes, f"{where}: gene name", "adata.var_names_make_unique()")
    check_orientation(values.cells, values.genes, where)
    layers = [m.name for m in contents.matrices if m.name not in ("X", "raw.X")]
    to_counts(values, source.scale, advice(layers))
    labels = None
    if source.label_key is not None:
        labels, _ = read_labels(cells, source.label_key, where, source.drop_labels)
    if source.batch_key is not None:
        read_batch(cells, source.batch_key, where)
    return _line(Path(where), len(values.cells), len(values.genes), (step,), labels)


_ORDER = {"X": 0, "raw.X": 1}


def _turned(contents: Contents) -> Contents:
    flipped = tuple(matrix.flip() for matrix in contents.matrices if matrix.name != "raw.X")
    return replace(contents, matrices=flipped, cells=contents.genes, genes=contents.cells)


def _line(
    path: Path, n_cells: int, n_genes: int, steps: Sequence[str], labels: Iterable[str] | None
) -> str:
    n_types = 0 if labels is None else len({*labels} - {""})
    types = f", {n_types} cell types" if n_types else ""
    return f"{path}: {n_cells} cells × {n_genes} genes, {'; '.join(steps)}{types}"
