"""Split cells by batch, impute each batch alone, and put the cells back into their order.

A worker may run this file on Python 3.8.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from impbench.context import Context
from impbench.errors import Cancelled, InputError
from impbench.imputer import Imputed, Observed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    ImputeMany = Callable[[Observed, Sequence[Context]], "list[Imputed]"]

STEPS = 1000
"""In which the progress of one batch is counted."""

LARGEST_FACTS = 2**18
"""Characters of what a method says of its fits, all batches together; what is longer goes."""


def impute_batches(
    observed: Observed, contexts: Sequence[Context], impute: ImputeMany
) -> list[Imputed]:
    """Return one imputation per context, put together of those of the batches.

    What the method sees of a batch is what it would see if the batch were the whole file: its
    cells and their batch, the seed of the context, the number of groups that was given for all. A
    gene without a count in the batch is shown as it is. But cells keep the size factors that they
    have among all: only their company differs, and values of different batches can be compared.

    Raises
    ------
    InputError
        If there are no batches, or the method refuses one; names it.
    RuntimeError
        If the method fails on a batch in any other way; names it.
    """
    if observed.batch is None:
        raise InputError(
            "per=batch imputes each batch alone, but the data hold no batches: name their column "
            "with --batch-key (batch_key)"
        )
    names, of_cell = np.unique(observed.batch, return_inverse=True)
    batches = [_Batch(str(name), np.flatnonzero(of_cell == i)) for i, name in enumerate(names)]
    parts = []
    for place, batch in enumerate(batches):
        part = observed.of_cells(batch.cells)
        own = [_for_batch(context, place, len(batches)) for context in contexts]
        parts.append(_impute_alone(part, batch, own, impute))
        for context in contexts:
            context.progress((place + 1) * STEPS, len(batches) * STEPS)
    return [_together(observed, batches, list(results)) for results in zip(*parts)]  # noqa: B905


@dataclass(frozen=True)
class _Batch:
    """The cells of one batch, and where they stand among all."""

    name: str
    cells: NDArray[np.intp]

    @property
    def words(self) -> str:
        n = len(self.cells)
        return f"batch {self.name!r} alone ({n} cell{'' if n == 1 else 's'})"


def _impute_alone(
    part: Observed,
    batch: _Batch,
    contexts: Sequence[Context],
    impute: ImputeMany,
) -> list[Imputed]:
    """Impute one batch, whose scratch folders go afterwards; a failure names the batch."""
    try:
        results = list(impute(part, contexts))
        if len(results) != len(contexts):
            raise InputError(f"{len(results)} results came back for {len(contexts)} seeds")
        for result in results:
            if not isinstance(result, Imputed):
                raise TypeError(f"impute must return impbench.Imputed, got {type(result).__name__}")
            result.check(part)
            result.must_hold(("expression",))
    except (Cancelled, MemoryError):
        raise
    except InputError as error:
        raise InputError(f"{batch.words}: {error}") from error
    except Exception as error:
        raise RuntimeError(f"{batch.words}: {type(error).__name__}: {error}") from error
    finally:
        for context in contexts:
            if context.scratch is not None:
                shutil.rmtree(str(context.scratch), ignore_errors=True)
    return results


def _for_batch(context: Context, place: int, of: int) -> Context:
    """Return what a method may use for one batch; the seed is the same, as if it were a file."""

    def report(done: int, total: int) -> None:
        share = STEPS * done // total if total > 0 else 0
        context.progress(place * STEPS + share, of * STEPS)

    scratch = None
    if context.scratch is not None:
        scratch = Path(tempfile.mkdtemp(prefix="batch-", dir=str(context.scratch)))
    on_progress = None if context.on_progress is None else report
    return replace(context, scratch=scratch, on_progress=on_progress)


def _together(observed: Observed, batches: Sequence[_Batch], parts: list[Imputed]) -> Imputed:
    """Put the imputations of all batches together.

    Coordinates of cells are left out: those of different batches have nothing to do with each
    other.
    """
    scales = sorted({str(part.scale) for part in parts})
    if len(scales) > 1:
        raise InputError(f"batches came back on different scales: {' and '.join(scales)}")
    info: dict[str, Any] = {"cells": {batch.name: len(batch.cells) for batch in batches}}
    versions: dict[str, Any] = {}
    for part in parts:
        versions.update(part.info.get("versions", {}))
    if versions:
        info["versions"] = versions
    fits = {batch.name: part.info for batch, part in zip(batches, parts)}  # noqa: B905
    if len(json.dumps(fits, default=str)) <= LARGEST_FACTS:
        info["fits"] = fits
    deviations = [part.std for part in parts if part.std is not None]
    return Imputed(
        _rows([part.values for part in parts], observed, batches),
        parts[0].scale,
        std=_rows(deviations, observed, batches) if len(deviations) == len(parts) else None,
        info=info,
    )


def _rows(
    blocks: Sequence[NDArray[Any]], observed: Observed, batches: Sequence[_Batch]
) -> NDArray[Any]:
    whole = np.empty((observed.n_cells, observed.n_genes), dtype=np.result_type(*blocks))
    for block, batch in zip(blocks, batches):  # noqa: B905 (Python 3.8)
        whole[batch.cells] = block
    return whole
