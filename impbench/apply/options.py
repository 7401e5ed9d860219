"""What a user may choose when a method is applied to their own data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from impbench.data.counts import Scale
from impbench.errors import InputError
from impbench.per_batch import Company

OutputScale = Literal["log2", "ln", "counts"]
"""What the new layer holds: log2(1 + count / size factor), the same with the natural logarithm, as
scanpy has it, or expected counts in the cell's own library size."""

OutputType = Literal["float32", "float16"]


_CHOICES = {"scale": Scale, "per": Company, "output_scale": OutputScale, "dtype": OutputType}


@dataclass(frozen=True)
class Options:
    """Choices of `impbench.impute`, which describes them."""

    layer: str | None = None
    scale: Scale = "auto"
    batch_key: str | None = None
    per: Company = "all"
    n_groups: int | None = None
    seed: int = 1
    device: str = "cpu"
    threads: int = 1
    key_added: str = "imputed"
    overwrite: bool = False
    output_scale: OutputScale = "log2"
    genes_to_keep: Sequence[str] | str | Path | None = None
    sparse: bool = False
    dtype: OutputType = "float32"

    def __post_init__(self) -> None:
        """Refuse what does not exist or does not go together, before anything is read."""
        if self.scale in ("log2", "ln"):
            raise InputError(
                f"--scale {self.scale}: --scale says what the file holds (auto, counts, lognorm or "
                f"log1p); what the new layer holds is --output-scale {self.scale}"
            )
        for name, kinds in _CHOICES.items():
            value = getattr(self, name)
            if value not in get_args(kinds):
                known = ", ".join(get_args(kinds))
                option = name.replace("_", "-")
                raise InputError(f"--{option} {value!r} does not exist; there are {known}")
        if not self.key_added or "/" in self.key_added:
            raise InputError(f"--key-added {self.key_added!r}: a layer's name may not hold '/'")
        if self.dtype == "float16" and self.output_scale == "counts":
            raise InputError("float16 rounds counts above 2048: use --output-scale log2 or ln")
        if self.dtype == "float16" and self.stored_sparse:
            raise InputError(
                "SciPy has no sparse matrices of float16: leave out --dtype float16, or --sparse "
                "and --genes-to-keep"
            )

    def of_an_embedding(self, imputer: str) -> None:
        """Refuse what says how a layer is written, where there will be none.

        Raises
        ------
        InputError
            Names the options.
        """
        usual = Options()
        said = ("output_scale", "genes_to_keep", "sparse", "dtype")
        changed = [name for name in said if getattr(self, name) != getattr(usual, name)]
        if changed:
            options = ", ".join(f"--{name.replace('_', '-')}" for name in changed)
            raise InputError(
                f"{imputer} gives only an embedding, which goes to obsm: there is no layer of "
                f"expression for {options}; leave that out"
            )

    @property
    def stored_sparse(self) -> bool:
        """Whether the layer is stored sparse: asked for, or most genes keep their zeros."""
        return self.sparse or self.genes_to_keep is not None
