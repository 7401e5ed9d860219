"""What an inspection found, and the same in words for a terminal."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from impbench.data.prepare import HVG
from impbench.inspection.columns import ColumnFacts, GroupColumn
from impbench.inspection.command import Choice
from impbench.inspection.genes import GeneFacts
from impbench.inspection.logarithm import Normalised
from impbench.inspection.matrix import MatrixFacts


@dataclass(frozen=True)
class Inspection:
    """What was found; ``print`` it to read it."""

    file: str
    """What was looked at."""
    kind: str
    """What wrote it."""
    matrices: tuple[MatrixFacts, ...]
    """Every matrix."""
    genes: GeneFacts
    """Names of the genes of the matrix that is chosen."""
    repeated_cells: tuple[str, ...]
    """Names of cells that stand more than once."""
    columns: ColumnFacts
    """Columns of `obs` that name cell types and batches."""
    transposed: str | None
    """Why the file is taken for genes × cells, or None."""
    choice: Choice
    """The matrix to take."""
    command: tuple[str, ...] | None
    """Words of the `impbench run` command, or None if nothing can be run."""
    notes: tuple[str, ...]
    """What was passed over or put right while it was read."""

    @property
    def line(self) -> str | None:
        """The `impbench run` command for a shell, or None if nothing can be run."""
        return None if self.command is None else shlex.join(self.command)

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def _lines(found: Inspection) -> Iterator[str]:
    yield f"{found.file} ({found.kind})"
    for note in found.notes:
        yield f"  {note}"
    yield ""
    for matrix in found.matrices:
        yield from _matrix(matrix)
    yield ""
    yield from _names(found)
    yield ""
    yield from _columns(found)
    yield ""
    yield from _verdict(found)


def _matrix(matrix: MatrixFacts) -> Iterator[str]:
    values = matrix.values
    shape = f"{_number(matrix.n_cells)} cells × {_number(matrix.n_genes)} genes"
    yield f"{matrix.place}: {shape}, {matrix.stored}"
    yield f"  {_meaning(matrix)}"
    read = "" if matrix.complete else _extent(matrix)
    yield (f"  {values.zeros:.1%} zeros, from {values.smallest:.6g} to {values.largest:.6g}{read}")
    if values.library_sizes is not None and values.are_counts:
        low, median, high = map(_number, values.library_sizes)
        yield f"  library sizes {low} to {high}, median {median}"
    if values.empty_cells:
        yield f"  {_number(values.empty_cells)} cells without any value"


def _extent(matrix: MatrixFacts) -> str:
    if matrix.values.n_cells is None:
        return " (seen in a part of the genes: it is large, and stored by gene)"
    return f" (seen in {_number(matrix.values.n_cells)} cells from all over it)"


def _meaning(matrix: MatrixFacts) -> str:
    values = matrix.values
    if values.missing:
        return "holds missing or infinite values"
    if values.negative:
        return "holds negative values: centred, scaled or residuals, and no way back to counts"
    if values.largest == 0:
        return "holds nothing but zeros"
    if values.whole:
        only = " (0 and 1 only)" if values.largest == 1 else ""
        return f"whole numbers: raw counts{only}"
    if matrix.normalised is not None:
        return _normalised(matrix.normalised)
    if values.library_sizes is None:
        return "no whole numbers; what they are cannot be told from a part of the genes"
    return "no whole numbers, neither normalised counts nor their logs: estimated or corrected"


def _normalised(made: Normalised) -> str:
    log = {None: "x", math.e: "ln(1 + x)", 2.0: "log2(1 + x)", 10.0: "log10(1 + x)"}[made.base]
    if not made.scaled:
        of = f"{log} of the counts themselves"
    elif made.target_sum is None:
        of = f"{log} of normalised counts; genes were left out since, so the sum is not to be had"
    else:
        where = "" if made.all_genes else ", genes left out since"
        of = f"{log} of counts normalised to {made.target_sum:.7g} a cell{where}"
    if made.exact:
        return f"{of}; the counts can be had back exactly"
    return f"{of}; the counts cannot be had back exactly"


def _names(found: Inspection) -> Iterator[str]:
    genes = found.genes
    yield f"genes: {genes.style}"
    if genes.repeated:
        yield (
            f"  {_number(len(genes.repeated))} names stand more than once (such as "
            f"{genes.repeated[0]!r}): adata.var_names_make_unique(), or name genes by identifiers"
        )
    if genes.spike_ins:
        yield f"  {genes.spike_ins} spike-ins: they count towards library sizes unless removed"
    if genes.mitochondrial:
        yield f"  {genes.mitochondrial} mitochondrial genes"
    if len(genes.feature_types) > 1:
        kinds = ", ".join(f"{number} {name}" for name, number in genes.feature_types.items())
        yield f"  features: {kinds}"
    if genes.other_features:
        yield "  impbench takes every row of an h5ad for a gene: remove what is none first"
    if found.repeated_cells:
        yield (
            f"cells: {_number(len(found.repeated_cells))} names stand more than once (such as "
            f"{found.repeated_cells[0]!r}): adata.obs_names_make_unique()"
        )
    if found.transposed:
        yield f"the file is genes × cells: {found.transposed}"


def _columns(found: Inspection) -> Iterator[str]:
    columns = found.columns
    for what, some in (("cell types", columns.labels), ("batches", columns.batches)):
        for column in some[:3]:
            yield f"{what}: {_column(column)}"
        if not some:
            yield f"{what}: no column of obs is called so"
    for column in columns.clusters[:1]:
        yield (
            f"clusters: {_column(column)}; made from these very counts, so agreement with them "
            "shows little"
        )


def _column(column: GroupColumn) -> str:
    missing = f", {_number(column.missing)} cells without one" if column.missing else ""
    examples = ", ".join(column.examples)
    more = ", …" if column.n_groups > len(column.examples) else ""
    return f"{column.name!r}, {column.n_groups} ({examples}{more}){missing}"


def _verdict(found: Inspection) -> Iterator[str]:
    yield found.choice.why
    matrix = found.choice.matrix
    if matrix is None or found.line is None:
        return
    kept = min(HVG, matrix.n_genes)
    genes = f"all {_number(kept)}" if kept == matrix.n_genes else f"the {kept} most variable"
    megabytes = matrix.n_cells * kept * 4 / 1e6
    yield (
        f"the run: {_number(matrix.n_cells)} cells × {genes} genes, {megabytes:.3g} MB for each "
        "dense copy, of which a method holds several; --dry-run lists its jobs"
    )
    if found.genes.repeated or found.repeated_cells:
        yield "names that stand more than once are refused: make them unique first"
    if "--batch-key" in (found.command or ()):
        batches = found.columns.batches[0]
        yield (
            f"with --per batch each method also runs on each {batches.name} alone, and the page "
            "says whether to impute them together"
        )
    yield found.line


def _number(value: float) -> str:
    return f"{value:,.6g}".replace(",", " ") if value < 1e6 else f"{value:,.0f}".replace(",", " ")
