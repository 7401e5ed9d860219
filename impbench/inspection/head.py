"""Look at the head of a user's file before a run: what would be refused is refused now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from impbench.data.annotation import read_batch, read_labels
from impbench.data.read import FileSource, choose_matrix, sound_counts
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
        dataset = source.read()
        return _line(path, dataset.n_cells, dataset.n_genes, dataset.steps[-2:-1], dataset.labels)
    with open_contents(path) as contents:
        return _head_of(contents, source, str(path))


def _head_of(contents: Contents, source: FileSource, where: str) -> str:
    if source.transpose != (contents.transposed is not None):
        contents = contents.turned()
    cells, genes = contents.cells, contents.genes
    held = {}
    # In the order in which counts are looked for: layers, raw.X, X.
    for stored in sorted(contents.matrices, key=lambda m: -_ORDER.get(m.name, 2)):
        table = contents.raw_genes if stored.name == "raw.X" else genes
        held[stored.place] = (read_head(stored), (genes if table is None else table).index)
    names = list(map(str, cells.index))
    values, step = choose_matrix(held, names, where, source.layer, source.scale)
    layers = [m.name for m in contents.matrices if m.name not in ("X", "raw.X")]
    sound_counts(values, where, source.scale, layers)
    labels = None
    if source.label_key is not None:
        labels, _ = read_labels(cells, source.label_key, where, source.drop_labels)
    if source.batch_key is not None:
        read_batch(cells, source.batch_key, where)
    return _line(Path(where), len(values.cells), len(values.genes), (step,), labels)


_ORDER = {"X": 0, "raw.X": 1}


def _line(
    path: Path, n_cells: int, n_genes: int, steps: Sequence[str], labels: Iterable[str] | None
) -> str:
    n_types = 0 if labels is None else len({*labels} - {""})
    types = f", {n_types} cell types" if n_types else ""
    return f"{path}: {n_cells} cells × {n_genes} genes, {'; '.join(steps)}{types}"
