"""Impute each batch alone: what ``magic[per=batch]`` does, and every other imputer can.

``per`` is a parameter that impbench adds to an imputer's own. The class that has it bears the name,
module and attributes of the imputer's, so that a job knows both by the same plugin, and differs in
`impute` alone. A worker may run this file on Python 3.8.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields, make_dataclass
from typing import Any, ClassVar, Literal

from impbench.batch_by_batch import impute_batches
from impbench.context import Context
from impbench.errors import InputError
from impbench.gives import of_batches_alone
from impbench.imputer import Imputed, Imputer, Observed
from impbench.parameters import parameter

Company = Literal["all", "batch"]
"""With whom a cell is imputed: with all cells, or with those of its batch alone."""

PARAMETER = "per"


def alone(imputer: Imputer) -> Imputer:
    """Return `imputer` as it imputes each batch alone; its ``spec`` then says ``per=batch``.

    Raises
    ------
    InputError
        If it has a parameter of its own that is called so, or gives only an embedding.
    """
    if is_alone(imputer):
        return imputer
    own = imputer.parameters()
    if PARAMETER in own:
        raise InputError(
            f"{imputer.name} has a parameter {PARAMETER!r} of its own, so it cannot be run on each "
            "batch alone"
        )
    made: Imputer = _variant(type(imputer))(**own, **{PARAMETER: "batch"})
    return made


def is_alone(imputer: Imputer) -> bool:
    """Whether `imputer` imputes each batch alone."""
    return isinstance(imputer, _Alone)


def class_taking(imputer: type[Imputer], names: Collection[str]) -> type[Imputer]:
    """Return the class to build from parameters of these names: `imputer`'s, or that with `per`."""
    known = {field.name for field in fields(imputer)}
    return _variant(imputer) if PARAMETER in names and PARAMETER not in known else imputer


class _Alone(Imputer):
    """Base of the classes with `per`; beside it stands the imputer's own."""

    own_: ClassVar[type[Any]]

    @property
    def _own(self) -> Imputer:
        values = self.parameters()
        del values[PARAMETER]
        made: Imputer = self.own_(**values)
        return made

    def __reduce__(self) -> tuple[Callable[..., Imputer], tuple[type[Imputer], dict[str, Any]]]:
        # Under the name of the class, pickle would find the imputer's own.
        return _rebuilt, (self.own_, self.parameters())

    def prepare(self, context: Context) -> None:
        self._own.prepare(context)

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Impute each batch alone and put the cells back into their order."""
        own = self._own

        def impute(part: Observed, contexts: Sequence[Context]) -> list[Imputed]:
            return [own.impute(part, contexts[0])]

        return impute_batches(observed, [context], impute)[0]


class _AloneSharesSeeds(_Alone):
    """For an imputer that imputes several seeds at once."""

    def impute_many(self, observed: Observed, contexts: Sequence[Context]) -> list[Imputed]:
        return impute_batches(observed, contexts, self._own.impute_many)


def _variant(own: type[Imputer]) -> type[Any]:
    """Return the class with `per`; the same one every time, or equal imputers would differ."""
    if own not in _variants:
        _variants[own] = _made(own)
    return _variants[own]


_variants: dict[type[Imputer], type[Any]] = {}


def _made(own: type[Imputer]) -> type[Any]:
    shares_seeds = own.impute_many is not Imputer.impute_many
    per = parameter("all", "batch: each batch is imputed alone; leave it out for all together.")
    made = make_dataclass(
        own.__name__,
        [(PARAMETER, Literal["batch"], per)],
        bases=(_AloneSharesSeeds if shares_seeds else _Alone, own),
        namespace={
            "__doc__": own.__doc__,
            "own_": own,
            "gives": of_batches_alone(own.name, own.gives),
        },
        frozen=True,
    )
    made.__module__, made.__qualname__ = own.__module__, own.__qualname__
    return made


def _rebuilt(own: type[Imputer], values: Mapping[str, Any]) -> Imputer:
    made: Imputer = _variant(own)(**values)
    return made
