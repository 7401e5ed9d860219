"""AnnData's own files, and MuData's, of which one modality is read."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impbench.data.hdf5_trial import is_whole
from impbench.data.known_columns import BULK, MIXTURE
from impbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

RNA = ("rna", "gex", "gene expression", "mrna", "scrna", "transcriptome")
"""What the modality of RNA is called, in any case."""


def read_h5ad(path: Path, part: str, notes: list[str]) -> AnnData:
    """Read an h5ad file, or one modality of an h5mu file.

    Parameters
    ----------
    part
        Modality of an h5mu file; empty: the one that is called ``rna`` or the like.

    Returns
    -------
    The whole object; where anndata cannot read all of it, the matrices and tables that impbench
    uses, and `notes` names what was passed over.

    Raises
    ------
    InputError
        If there is no such modality, or a part that is used cannot be read.
    """
    import anndata
    import h5py

    with h5py.File(path, "r") as file:
        if "mod" in file and "X" not in file:
            return _modality(file, path, part, notes)
        if part:
            raise InputError(f"{path} holds one matrix, and no part {part!r}")
        half_written = [key for key in ("obs", "var") if not _complete(file.get(key))]
        if not half_written:
            try:
                return anndata.read_h5ad(path)
            except Exception as error:  # any slot may hold what this anndata cannot read
                if not is_whole(path):
                    raise
                reason = str(error).splitlines()[0] if str(error) else type(error).__name__
                notes.append(f"anndata cannot read all of {path.name}: {reason[:120]}")
        else:
            notes.append(f"writing {path.name} was not finished: {' and '.join(half_written)}")
        return _by_slot(file, path, notes)


def _complete(table: Any) -> bool:
    """False for a table whose writing stopped: its type is written last."""
    if not hasattr(table, "keys"):
        return table is not None
    return "_index" not in table.attrs or "encoding-type" in table.attrs


def _modality(file: Any, path: Path, part: str, notes: list[str]) -> AnnData:
    held = list(file["mod"])
    found = [name for name in held if name.lower() in RNA]
    if part or len(found) == 1:
        name = part or found[0]
    elif len(held) == 1:
        name = held[0]
    else:
        raise InputError(
            f"{path} holds the modalities {', '.join(held)}, none of them called rna; name the one "
            f"with RNA behind the file: {path}/{held[0] if held else 'rna'}"
        )
    if name not in held:
        raise InputError(f"{path} holds no modality {name!r}; it holds {', '.join(held)}")
    others = [other for other in held if other != name]
    if others:
        notes.append(f"read the modality {name!r} and left out {', '.join(others)}")
    data = _by_slot(file["mod"][name], path, notes)
    # Cell types are often kept once, for all modalities.
    shared = _table(file, "obs", data.n_obs, [])
    new = shared.columns.difference(data.obs.columns)
    data.obs = data.obs.join(shared[new])
    return data


def _by_slot(group: Any, path: Path, notes: list[str]) -> AnnData:
    """What impbench uses of an AnnData on disk, each part by itself."""
    import anndata
    from anndata.io import read_elem

    stored = group.get("layers", {}).items()
    layers = {key: _matrix(item, f"layers[{key!r}]", notes) for key, item in stored}
    layers = {key: matrix for key, matrix in layers.items() if matrix is not None}
    x = _matrix(group["X"], "X", notes) if "X" in group else None
    held = [matrix for matrix in (x, *layers.values()) if matrix is not None]
    if not held:
        raise InputError(f"{path} holds no matrix that can be read: neither X nor a layer")
    n_cells, n_genes = held[0].shape
    cells = _table(group, "obs", n_cells, notes)
    genes = _table(group, "var", n_genes, notes)
    data = anndata.AnnData(x, cells, genes, layers=layers)
    if "raw" in group and "X" in group["raw"]:
        raw = _matrix(group["raw"]["X"], "raw.X", notes)
        if raw is not None:
            data.raw = anndata.AnnData(raw, cells, _table(group["raw"], "var", raw.shape[1], notes))
    if BULK in group.get("varm", {}):
        data.varm[BULK] = read_elem(group["varm"][BULK])
    if MIXTURE in group.get("obsm", {}):
        data.obsm[MIXTURE] = read_elem(group["obsm"][MIXTURE])
    return data


def _matrix(item: Any, name: str, notes: list[str]) -> Any:
    import pandas as pd
    from anndata.io import read_elem

    try:
        matrix = read_elem(item)
    except Exception:  # another matrix may be all that is needed
        notes.append(f"passed over {name}, which cannot be read")
        return None
    return matrix.to_numpy() if isinstance(matrix, pd.DataFrame) else matrix


def _table(group: Any, key: str, number: int, notes: list[str]) -> pd.DataFrame:
    """One row per cell or gene, without the columns that cannot be read."""
    import pandas as pd
    from anndata.io import read_elem

    numbered = pd.DataFrame(index=[str(i) for i in range(number)])
    if key not in group:
        return numbered
    stored = group[key]
    if not hasattr(stored, "keys"):
        return pd.DataFrame(read_elem(stored))
    if _complete(stored):
        with contextlib.suppress(Exception):  # else column by column
            return pd.DataFrame(read_elem(stored))
    index = stored.attrs.get("_index", "_index")
    columns: dict[str, Any] = {}
    for name in stored:
        if name == "__categories":
            continue
        try:
            columns[name] = read_elem(stored[name])
        except Exception:  # one column of an unknown kind is no reason to lose the others
            notes.append(f"passed over {key}[{name!r}], which cannot be read")
    names = columns.pop(index, None)
    if names is None or len(names) != number:
        names = numbered.index
    sound = {name: values for name, values in columns.items() if len(values) == number}
    return pd.DataFrame(sound).set_axis(pd.Index([str(name) for name in names]), axis=0)
