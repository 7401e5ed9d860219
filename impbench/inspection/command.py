"""Which matrix a benchmark should take, on which scale, and the command that says so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from impbench.inspection.columns import ColumnFacts
from impbench.inspection.matrix import MatrixFacts


@dataclass(frozen=True)
class Choice:
    """What to take."""

    matrix: MatrixFacts | None
    """The best there is, or None if nothing can be used."""
    scale: str
    """For ``--scale``."""
    why: str
    """In words."""
    named: bool = False
    """The matrix has to be named: without ``--layer`` another one would be taken."""


def choose(matrices: Sequence[MatrixFacts]) -> Choice:
    """Choose raw counts where there are any, else what can be turned back."""
    held = {matrix.place: matrix for matrix in matrices}
    counts = [matrix for matrix in matrices if matrix.values.are_counts]
    if counts:
        # The order in which they are looked for where no layer is named, then all others.
        first = ("layers['counts']", "raw.X", "X")
        best = min(counts, key=lambda m: first.index(m.place) if m.place in first else len(first))
        blocked = "layers['counts']" in held and best.place != "layers['counts']"
        named = best.place not in first or blocked
        return Choice(best, "auto", f"{best.place} holds raw counts", named)
    usable = [m for m in matrices if not m.values.negative and not m.values.missing]
    usable = [m for m in usable if m.values.largest > 0]
    for base, scale in ((math.e, "log1p"), (2.0, "lognorm"), (None, "counts")):
        logged = [m for m in usable if m.normalised and m.normalised.base == base]
        if logged:
            best = max(logged, key=lambda m: m.n_genes)
            log = "normalised counts"
            if base is not None:
                log = f"logs to base {'e' if base == math.e else f'{base:g}'} of such"
            why = f"there are no raw counts; {best.place} holds {log}, taken as counts all the same"
            return Choice(best, scale, why, best.place != "X")
    plain = [m for m in usable if m.normalised is None]
    if plain:
        why = (
            f"there are no raw counts; {plain[0].place} holds non-negative values of unknown "
            "origin, which could be taken as counts: better find the counts they were made of"
        )
        return Choice(plain[0], "counts", why, plain[0].place != "X")
    if usable:
        why = (
            f"{usable[0].place} holds logs to base 10, which impbench does not turn back: store "
            "10**X - 1 as a layer and name it with --layer and --scale counts"
        )
    else:
        why = (
            "every matrix holds negative, missing or no values: scaled or centred values cannot be "
            "turned back; find the counts they were made of"
        )
    return Choice(None, "auto", why)


def command(
    file: str, choice: Choice, columns: ColumnFacts, transposed: bool
) -> tuple[str, ...] | None:
    """Return the words of the `impbench run` command, or None if nothing can be run."""
    if choice.matrix is None:
        return None
    words = ["impbench", "run", "--data", file]
    if choice.named:
        words += ["--layer", choice.matrix.name]
    if choice.scale != "auto":
        words += ["--scale", choice.scale]
    if transposed:
        words.append("--transpose")
    if columns.labels:
        words += ["--label-key", columns.labels[0].name]
    if columns.batches:
        words += ["--batch-key", columns.batches[0].name]
    return tuple(words)
