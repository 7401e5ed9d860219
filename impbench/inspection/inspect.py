"""`impbench inspect` and `impbench.inspect`: what a user's data hold, before anything is run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from impbench.inspection.columns import ColumnFacts, look_at_columns
from impbench.inspection.command import Choice, choose, command, line
from impbench.inspection.contents import Contents, of_anndata, open_contents
from impbench.inspection.genes import GeneFacts, look_at_genes
from impbench.inspection.matrix import MatrixFacts, look_at_matrix

if TYPE_CHECKING:
    from anndata import AnnData


@dataclass(frozen=True)
class Inspection:
    """What was found; ``print`` it to read it.

    Attributes
    ----------
    file
        What was looked at.
    kind
        What wrote it.
    matrices
        Every matrix.
    genes
        Names of the genes of the matrix that is chosen.
    repeated_cells
        Names of cells that stand more than once.
    columns
        Columns of `obs` that name cell types and batches.
    transposed
        Why the file is taken for genes × cells, or None.
    choice
        The matrix to take.
    command
        Words of the `impbench run` command, or None if nothing can be run.
    notes
        What was passed over or put right while it was read.
    """

    file: str
    kind: str
    matrices: tuple[MatrixFacts, ...]
    genes: GeneFacts
    repeated_cells: tuple[str, ...]
    columns: ColumnFacts
    transposed: str | None
    choice: Choice
    command: tuple[str, ...] | None
    notes: tuple[str, ...]

    @property
    def line(self) -> str | None:
        """The `impbench run` command for a shell, or None if nothing can be run."""
        return None if self.command is None else line(self.command)

    def __str__(self) -> str:
        from impbench.inspection.words import describe

        return describe(self)


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
