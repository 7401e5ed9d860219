"""A user's own AnnData as a dataset, read as a file of the same content would be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from impbench.data.dataset import Dataset
from impbench.data.read import FileSource, from_anndata
from impbench.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData


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

    def _read(self) -> Dataset:
        return from_anndata(
            self.adata,
            self.name,
            self.label_key,
            self.batch_key,
            self.layer,
            self.scale,
            self.name,
            self.drop_labels,
        )


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
