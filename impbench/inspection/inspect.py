"""`impbench inspect` and `impbench.inspect`: what a user's data hold, before anything is run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from impbench.inspection.columns import look_at_columns
from impbench.inspection.command import choose, command
from impbench.inspection.contents import Contents, of_anndata, open_contents
from impbench.inspection.found import Inspection
from impbench.inspection.genes import look_at_genes
from impbench.inspection.matrix import look_at_matrix

if TYPE_CHECKING:
    from anndata import AnnData


def inspect(data: AnnData | str | Path) -> Inspection:
    """Look at one's own data: matrices, scales, names, labels, and how to benchmark them.

    Parameters
    ----------
    data
        AnnData, or a file or folder that `impbench run --data` reads. Of a large matrix, whole
        cells from all over it are read, and what is said holds for these.

    Raises
    ------
    InputError, UnavailableError
        If a file cannot be read; says why and what to do.
    """
    if isinstance(data, str | Path):
        return _inspect_file(Path(data).expanduser())
    if data.isbacked:
        return _inspect_file(Path(data.filename))
    return _look(of_anndata(data), "my.h5ad")


def _inspect_file(path: Path) -> Inspection:
    with open_contents(path) as contents:
        return _look(contents, str(path))


def _look(contents: Contents, file: str) -> Inspection:
    matrices = tuple(look_at_matrix(matrix) for matrix in contents.matrices)
    columns = look_at_columns(contents.cells)
    choice = choose(matrices)
    of_raw = choice.matrix is not None and choice.matrix.name == "raw.X"
    named = contents.raw_genes if of_raw and contents.raw_genes is not None else contents.genes
    cells = contents.cells.index
    transposed = contents.transposed is not None
    return Inspection(
        file=file,
        kind=contents.kind,
        matrices=matrices,
        genes=look_at_genes(named),
        repeated_cells=tuple(map(str, cells[cells.duplicated()].unique())),
        columns=columns,
        transposed=contents.transposed,
        choice=choice,
        command=command(file, choice, columns, transposed),
        notes=contents.notes,
    )
