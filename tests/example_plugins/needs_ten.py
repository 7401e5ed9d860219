"""A single-file plugin: a method that needs ten cells, and checks its parameters itself."""

from __future__ import annotations

from dataclasses import dataclass

from impbench import Context, Imputed, Imputer, Observed, hookimpl, parameter


@dataclass(frozen=True)
class NeedsTen(Imputer):
    name = "needs-ten"
    summary = "Adds the batch's number of cells; refuses fewer than ten."

    even: int = parameter(2, "An even number.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.even % 2:
            raise ValueError("odd")

    def impute(self, observed: Observed, context: Context) -> Imputed:
        if observed.n_cells < 10:
            raise IndexError("ten cells are needed")
        return Imputed(observed.lognorm + observed.n_cells, "lognorm")


@hookimpl
def impbench_imputers() -> list[type[Imputer]]:
    return [NeedsTen]
