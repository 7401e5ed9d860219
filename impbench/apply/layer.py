"""The new layer: imputed values on the scale asked for, in the order of the data's own genes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from impbench import scale
from impbench.apply.options import Options, OutputScale
from impbench.data.dataset import Dataset
from impbench.data.read import from_anndata
from impbench.errors import InputError
from impbench.gives import only_embedding
from impbench.imputer import Imputed, Imputer, Observed
from impbench.per_batch import is_alone

if TYPE_CHECKING:
    from anndata import AnnData

BLOCK = 2**23
"""Values turned at once: 32 MB of float32."""


@dataclass(frozen=True)
class Layout:
    """What the method will see, and where its answer goes.

    Attributes
    ----------
    observed
        All genes of the matrix that holds the counts.
    columns
        (genes of the data,) where each stands among the observed ones.
    kept
        (genes of the data,) whether imputed values are kept, or None for all; the others hold
        the observed values.
    steps
        What was done, in order, as sentences.
    """

    observed: Observed
    columns: NDArray[np.int64]
    kept: NDArray[np.bool_] | None
    steps: tuple[str, ...]


def lay_out(
    data: AnnData, where: str, options: Options, notes: Sequence[str] = (), *, layer: bool = True
) -> Layout:
    """Choose the counts as `impbench run` does, and find every gene of `data` among theirs.

    Parameters
    ----------
    notes
        What was said while `data` was read; goes first among the steps.
    layer
        Whether there will be one; an embedding needs no place for each gene.

    Raises
    ------
    InputError
        If there are no counts, or the matrix that holds them lacks genes of `data`, so that the
        layer could not be filled.
    """
    dataset = from_anndata(
        data, where, None, options.batch_key, options.layer, options.scale, notes=notes
    )
    observed = Observed.from_counts(
        dataset.counts,
        gene_names=dataset.gene_names,
        cell_names=dataset.cell_names,
        batch=None if dataset.batch is None else dataset.batch.tolist(),
        n_groups=options.n_groups,
    )
    if not layer:
        return Layout(observed, np.empty(0, dtype=np.int64), None, dataset.steps)
    names = list(map(str, data.var_names))
    columns, steps = _align(dataset, names, f"{where}: {dataset.steps[len(notes)]}")
    kept = None
    if options.genes_to_keep is not None:
        kept, step = _keep(options.genes_to_keep, names, where)
        steps += step
    return Layout(observed, columns, kept, (*dataset.steps, *steps))


def _align(
    dataset: Dataset, names: list[str], chosen: str
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    if dataset.gene_names == tuple(names):
        return np.arange(len(names)), ()
    columns = pd.Index(dataset.gene_names).get_indexer(pd.Index(names))
    missing = np.flatnonzero(columns < 0)
    if len(missing):
        raise InputError(
            f"{chosen}, which lacks {len(missing)} of the {len(names)} genes of "
            f"X and its layers (first {names[missing[0]]!r}), so a layer cannot hold the result; "
            "name a matrix that has them with --layer"
        )
    steps = ["genes put into the order of X by name"]
    extra = dataset.n_genes - len(np.unique(columns))
    if extra:
        steps.append(f"{extra} more genes were imputed with them, but have no place beside X")
    return columns.astype(np.int64), tuple(steps)


def _keep(
    wanted: Sequence[str] | str | Path, names: list[str], where: str
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    if isinstance(wanted, str | Path):
        wanted = _read_names(Path(wanted))
    kept = np.isin(np.array(names, dtype=object), np.array(wanted, dtype=object))
    missing = [name for name in dict.fromkeys(wanted) if name not in set(names)]
    some = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
    if not kept.any():
        raise InputError(f"{where} holds none of the genes to keep ({some or 'there are none'})")
    steps = [f"imputed values of {kept.sum()} genes kept, observed values of the others"]
    if missing:
        steps.append(f"{len(missing)} genes to keep are not in the data: {some}")
    return kept, tuple(steps)


def _read_names(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--genes-to-keep {path} cannot be read: {error}") from error
    return [line.strip() for line in lines if line.strip()]


@dataclass(frozen=True)
class ImputedLayer:
    """Imputed values, ready to be stored.

    Attributes
    ----------
    imputed
        As the method returned them, for the genes of `layout.observed`.
    by_gene
        The data are stored genes × cells, and so is the layer.
    """

    layout: Layout
    imputed: Imputed
    options: Options
    by_gene: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns as stored."""
        n_cells, n_genes = self.layout.observed.n_cells, len(self.layout.columns)
        return (n_genes, n_cells) if self.by_gene else (n_cells, n_genes)

    def blocks(self) -> Iterator[tuple[slice, NDArray[Any]]]:
        """Yield dense rows as stored, a few megabytes at a time, and which ones they are."""
        rows, columns = self.shape
        step = max(1, BLOCK // columns)
        for start in range(0, rows, step):
            chosen = slice(start, min(start + step, rows))
            cells, genes = (slice(None), chosen) if self.by_gene else (chosen, slice(None))
            block = self._values(cells, genes).astype(self.options.dtype, copy=False)
            yield chosen, block.T if self.by_gene else block

    def _values(self, cells: slice, genes: slice) -> NDArray[np.float32]:
        observed, columns = self.layout.observed, self.layout.columns[genes]
        factors = observed.size_factors[cells]
        expression = self.imputed.values[cells][:, columns]
        to = self.options.output_scale
        values = _on_scale(replace(self.imputed, expression=expression), factors, to)
        if self.layout.kept is None:
            return values
        seen = Imputed(_dense(observed.counts[cells][:, columns]), "counts")
        return np.where(self.layout.kept[genes], values, _on_scale(seen, factors, to))


def _dense(matrix: Any) -> NDArray[Any]:
    return np.asarray(matrix if isinstance(matrix, np.ndarray) else matrix.toarray())


def _on_scale(
    imputed: Imputed, factors: NDArray[np.float64], to: OutputScale
) -> NDArray[np.float32]:
    if to == "counts":
        if imputed.scale == "counts":
            return np.maximum(np.asarray(imputed.values, dtype=np.float32), 0)
        return scale.counts_from_lognorm(imputed.values, factors)
    if imputed.scale == "counts":
        values = scale.lognorm(imputed.values, factors)
    else:
        values = np.asarray(imputed.values, dtype=np.float32)
    return values * np.float32(math.log(2)) if to == "ln" else values


def describe(layer: ImputedLayer, method: Imputer, names: Sequence[str]) -> dict[str, Any]:
    """Say what was made, a layer or an embedding alone, for `uns`: values that h5ad files hold.

    Parameters
    ----------
    names
        Genes of the data.
    """
    options, layout = layer.options, layer.layout
    sizes = scale.library_sizes(layout.observed.counts)
    steps = [*layout.steps, *([_batches(layout.observed)] if is_alone(method) else [])]
    entry: dict[str, Any] = {
        "imputer": method.spec,
        "version": type(method).version,
        "seed": options.seed,
        "citation": type(method).citation,
        "steps": np.array(steps, dtype=object),
    }
    if only_embedding(method.gives):
        assert layer.imputed.embedding is not None
        entry["dimensions"] = int(layer.imputed.embedding.shape[1])
    elif options.output_scale == "counts":
        entry["scale"] = "expected counts in the cell's own library size"
    else:
        entry["scale"] = f"{options.output_scale}(1 + count / size factor)"
        entry["log_base"] = 2.0 if options.output_scale == "log2" else math.e
        # What scanpy calls so: library size / size factor, the same for every cell.
        entry["target_sum"] = float(np.median(sizes[sizes > 0]))
    if layout.kept is not None:
        entry["genes"] = np.array(names, dtype=object)[layout.kept]
    return entry


def _batches(observed: Observed) -> str:
    assert observed.batch is not None
    names, cells = np.unique(observed.batch, return_counts=True)
    each = [f"{name} ({n} cells)" for name, n in zip(names, cells, strict=True)]
    return f"each of {len(names)} batches was imputed alone: {', '.join(each)}"


def scanpy_hint(entry: dict[str, Any], key: str, base: float | None) -> str | None:
    """Say what scanpy must be told so that it does not take the layer for another logarithm.

    Parameters
    ----------
    entry
        What `describe` returned.
    key
        Name of the layer.
    base
        ``uns["log1p"]["base"]`` of the data, or None, which scanpy takes for e.
    """
    log_base = entry.get("log_base")
    if log_base is None or math.isclose(log_base, base or math.e, rel_tol=1e-6):
        return None
    told, other = ("2", "ln") if log_base == 2.0 else ("None", "log2")
    taken = "ln" if base is None else f"log{base:g}"
    return (
        f"scanpy takes every layer of these data for {taken}: before rank_genes_groups(..., "
        f"layer={key!r}) set adata.uns['log1p'] = {{'base': {told}}}, or impute with "
        f"--output-scale {other}"
    )
