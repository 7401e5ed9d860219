"""A user's own file as a dataset: which matrix holds the counts, and whether all of it is sound."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import scipy.sparse as sp

from impbench import plugin_view
from impbench.data.annotation import read_batch, read_labels
from impbench.data.counts import Scale, Values, are_integers, to_counts
from impbench.data.dataset import Dataset, Source
from impbench.data.facts import read_cell_facts, read_reference
from impbench.data.formats import open_noted, split_part
from impbench.data.genes import HvgMethod
from impbench.data.names import check_names, check_orientation
from impbench.data.prepare import HVG, MIN_CELLS, prepare
from impbench.data.result_places import FREE, KEY, free_key
from impbench.errors import InputError
from impbench.parameters import parameter
from impbench.scale import Matrix, library_sizes

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

_log = logging.getLogger(__name__)

Held = Mapping[str, tuple[Any, "pd.Index"]]


@dataclass(frozen=True)
class FileSource(Source):
    """A file of counts in any common format, prepared as in the MaskClass paper."""

    name: ClassVar[str] = "file"
    summary: ClassVar[str] = "Your own counts: h5ad, h5mu, csv, tsv, mtx, loom, 10x h5 or rds."
    own: ClassVar[Literal["", "file", "memory"]] = "file"

    path: str = parameter("", "The file.")
    label_key: str | None = parameter(None, "Column of obs with cell types.")
    batch_key: str | None = parameter(None, "Column of obs with batches.")
    drop_labels: tuple[str, ...] = parameter(
        (), "Labels that stand for no cell type, such as ['unknown']; their cells are left out."
    )
    layer: str | None = parameter(
        None, "A layer, X or raw.X; none: the first of layers['counts'], raw.X, X with raw counts."
    )
    scale: Scale = parameter(
        "auto",
        "What the values are: auto demands raw counts, counts takes any values >= 0 as counts, "
        "lognorm is log2(1 + x), log1p is ln(1 + x).",
    )
    transpose: bool = parameter(False, "The file holds genes × cells.")
    genes: int = parameter(HVG, "Highly variable genes kept; 0 keeps all.", min=0)
    hvg: HvgMethod = parameter("scran", "How the highly variable genes are chosen.")
    min_cells: int = parameter(MIN_CELLS, "Genes with counts in fewer cells are dropped.", min=1)

    @property
    def spec(self) -> str:
        """The file's name, as results show it; where it lies and its columns are left out."""
        bare = replace(self, path="", label_key=None, batch_key=None)
        return super(FileSource, bare).spec.replace(self.name, self._stem(), 1)

    def _stem(self) -> str:
        file, part = split_part(Path(self.path))
        return f"{file.stem}-{part}" if part else file.stem

    def __post_init__(self) -> None:
        super().__post_init__()
        plugin_view.hidden.update(self.files())

    def load(self) -> Dataset:
        """Return the prepared dataset; errors as `read_counts_file`."""
        prepared = prepare(self.read(), self.genes, self.hvg, self.min_cells)
        return replace(prepared, name=self.spec)

    def read(self) -> Dataset:
        """Return the dataset as it lies, unprepared; errors as `read_counts_file`."""
        if not self.path:
            raise InputError("file needs a path, such as file[path=my.h5ad]")
        return read_counts_file(self.path, transpose=self.transpose, **self.chosen)

    @property
    def chosen(self) -> dict[str, Any]:
        """What is to be read, as `from_anndata` takes it."""
        names = ("label_key", "batch_key", "layer", "scale", "drop_labels")
        return {name: getattr(self, name) for name in names}

    def files(self) -> tuple[Path, ...]:
        """Return the file, or the folder."""
        return (split_part(Path(self.path))[0].resolve(),) if self.path else ()


@dataclass(frozen=True)
class InMemory(FileSource):
    """An AnnData, prepared as in the MaskClass paper; made by `in_memory`."""

    name: ClassVar[str] = "adata"
    summary: ClassVar[str] = "Your own counts, an AnnData in memory."
    own: ClassVar[Literal["", "file", "memory"]] = "memory"

    adata: ClassVar[Any]
    """No parameter, so neither listed nor hashed; `in_memory` sets it on each source."""

    def _stem(self) -> str:
        return self.name

    def read(self) -> Dataset:
        """Return the dataset as it is, unprepared."""
        return from_anndata(self.adata, self.name, name=self.name, **self.chosen)


def in_memory(adata: AnnData, **chosen: Any) -> InMemory:
    """Return the source of an AnnData, cells × genes, which is not copied.

    `chosen` are parameters of `FileSource`, but its path and transpose.

    Raises
    ------
    InputError
        If `adata` is none, or a value does not fit.
    """
    from anndata import AnnData

    if not isinstance(adata, AnnData):
        kind = type(adata).__name__
        raise InputError(f"expected an AnnData (cells × genes), or the name of a suite, not {kind}")
    source = InMemory(**chosen)
    object.__setattr__(source, "adata", adata)
    return source


def read_counts_file(
    path: str | Path,
    label_key: str | None = None,
    batch_key: str | None = None,
    layer: str | None = None,
    scale: Scale = "auto",
    transpose: bool = False,
    drop_labels: Sequence[str] = (),
) -> Dataset:
    """Read a file of counts, unprepared.

    Parameters
    ----------
    path
        A file or folder as `impbench.data.formats.open_noted` reads.
    label_key, batch_key
        Columns of `obs` with cell types and batches.
    layer
        A layer, ``X`` or ``raw.X``. None: the first of ``layers["counts"]``, ``raw.X`` and ``X``
        that holds raw counts; with another `scale` than ``auto``, ``X``.
    scale
        What the values are, see `impbench.data.counts.Scale`.
    transpose
        The file holds genes × cells.
    drop_labels
        Labels that stand for no cell type, such as ``unknown``.

    Returns
    -------
    Dataset named after the file; cells without a label are left out, which is in its `steps`.

    Raises
    ------
    InputError
        If anything in the file is not as it should be; says what, where and what to do.
    UnavailableError
        If reading the format needs a package that is not installed.
    """
    path = Path(path).expanduser()
    data, notes = open_noted(path, transpose)
    for note in notes:
        _log.warning("%s: %s", path, note)
    return from_anndata(
        data, str(path), label_key, batch_key, layer, scale, path.stem, drop_labels, notes
    )


def from_anndata(
    data: AnnData,
    where: str,
    label_key: str | None = None,
    batch_key: str | None = None,
    layer: str | None = None,
    scale: Scale = "auto",
    name: str = "",
    drop_labels: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> Dataset:
    """Make a dataset of AnnData; parameters and errors as `read_counts_file`.

    `notes`, what was said while it was read, go first among the steps.
    """
    cells = list(map(str, data.obs_names))
    values, step = choose_matrix(_matrices(data), cells, where, layer, scale)
    counts, raw = sound_counts(values, where, scale, list(data.layers))
    if scale in ("lognorm", "log1p"):
        log = "log2(1 + x)" if scale == "lognorm" else "ln(1 + x)"
        step += f", turned back from {log}"
    elif not raw:
        step += ", taken as counts although not all are integers"
    labels, said = (
        (None, ()) if label_key is None else read_labels(data.obs, label_key, where, drop_labels)
    )
    for note in said:
        _log.warning("%s: %s", where, note)
    key = free_key(data)
    dataset = Dataset(
        name=name or where,
        counts=counts,
        gene_names=tuple(values.genes),
        cell_names=tuple(values.cells),
        library_size=library_sizes(counts),
        batch=None if batch_key is None else read_batch(data.obs, batch_key, where),
        labels=labels,
        genes=read_reference(data, values.genes, where),
        cells=read_cell_facts(data, where),
        steps=(*notes, step, "library sizes are totals over all genes of the file", *said),
        facts={"source": where} if key == KEY else {"source": where, FREE: key},
        counts_are_raw=raw,
    )
    return _labelled(dataset, f"{where}: obs[{label_key!r}]")


def sound_counts(
    values: Values, where: str, scale: Scale, layers: Sequence[str]
) -> tuple[Matrix, bool]:
    """Return counts and whether they are raw, once names and sides are found sound.

    Parameters
    ----------
    where
        File, for messages.
    layers
        The names to choose from, for the advice where there are no raw counts.

    Raises
    ------
    InputError
        As `impbench.data.counts.to_counts`; or if names are missing or repeat, or genes and cells
        seem to have changed places.
    """
    check_names(values.cells, f"{where}: cell name", "adata.obs_names_make_unique()")
    check_names(values.genes, f"{where}: gene name", "adata.var_names_make_unique()")
    cells, genes = len(values.cells), len(values.genes)
    if cells < 2 or genes < 2:
        raise InputError(f"{values.where} holds {cells} cells × {genes} genes; 2 × 2 are the least")
    check_orientation(values.cells, values.genes, where)
    offer = ", ".join(map(repr, layers)) or "none here"
    advice = (
        f"Name the layer that holds counts with --layer (layers: {offer}), or turn the values "
        "back with --scale lognorm if they are log2(1 + x) and --scale log1p if they are "
        "ln(1 + x), or take them as counts with --scale counts"
    )
    return to_counts(values, scale, advice)


def _labelled(dataset: Dataset, where: str) -> Dataset:
    """Leave out the cells without a label, and say so."""
    if dataset.labels is None or (dataset.labels != "").all():
        return dataset
    kept = np.flatnonzero(dataset.labels != "")
    step = f"left out {dataset.n_cells - len(kept)} cells without {where}"
    return replace(dataset.of_cells(kept), steps=(*dataset.steps, step))


def choose_matrix(
    held: Held, cells: Sequence[str], where: str, layer: str | None, scale: Scale
) -> tuple[Values, str]:
    """Choose the matrix that holds the counts, or the one that `layer` names.

    Parameters
    ----------
    held
        Each matrix, (cells, genes), with the names of its genes, in the order in which counts are
        looked for.
    where
        File, for messages.

    Returns
    -------
    It, and a sentence that says which.

    Raises
    ------
    InputError
        If there is none, or none of that name.
    """
    if not held:
        raise InputError(f"{where} holds no matrix: X, raw.X and layers are all empty")
    said = "counts"
    default = "X" if "X" in held else next(iter(held))
    if layer is not None:
        key = layer if layer in held else f"layers[{layer!r}]"
        if key not in held:
            raise InputError(f"{where} has no layer {layer!r}; it holds {', '.join(held)}")
    elif scale != "auto":
        key, said = default, "values"
    elif "layers['counts']" in held:
        # A layer of that name is meant to be used: if it is unsound, to_counts says so.
        key = "layers['counts']"
    else:
        whole = (key for key in ("raw.X", "X") if key in held and _integers(held[key][0]))
        key = next(whole, default)
    matrix, genes = held[key]
    values = Values(_in_memory(matrix), f"{key} of {where}", cells, list(map(str, genes)))
    return values, f"{said} read from {key}"


def _matrices(data: AnnData) -> Held:
    """Every matrix of the file with its gene names, in the order in which counts are looked for."""
    held = {f"layers[{key!r}]": (data.layers[key], data.var_names) for key in data.layers}
    if data.raw is not None:
        held["raw.X"] = (data.raw.X, data.raw.var_names)
    if data.X is not None:
        held["X"] = (data.X, data.var_names)
    return held


def _in_memory(matrix: Any) -> Any:
    """Fetch what lies on disk (backed AnnData) or is yet to be computed (dask)."""
    for fetch in ("to_memory", "compute"):
        if hasattr(matrix, fetch):
            return _in_memory(getattr(matrix, fetch)())
    return matrix if sp.issparse(matrix) else np.asarray(matrix)


def _integers(matrix: Any) -> bool:
    matrix = _in_memory(matrix)
    sparse = sp.issparse(matrix)
    data = np.asarray(sp.csr_matrix(matrix).data if sparse else matrix)
    return data.dtype.kind in "iuf" and are_integers(data)
