"""Make sure that runs asked the same where they use the same names."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any

from impbench.errors import InputError
from impbench.merging.inputs import MergeInput
from impbench.results.manifest import RunManifest

SHOWN = 20
"""Differences that a message lists; then it says how many more there are."""


def check_agreement(runs: Sequence[MergeInput]) -> None:
    """Refuse runs whose scores mean different things.

    Raises
    ------
    InputError
        If two runs were scored by different rules, drew from different secret seeds, or gave one
        name to different datasets, protocols, imputers or questions; lists all of it.
    """
    found = [text for name, values in _FACTS.items() for text in _differing(runs, name, values)]
    if found:
        raise InputError(f"these runs cannot be put together:\n  {some_of(found)}")


def some_of(texts: Sequence[str]) -> str:
    """Return the first of the lines, and how many there are besides."""
    more = [f"and {len(texts) - SHOWN} more"] if len(texts) > SHOWN else []
    return "\n  ".join([*texts[:SHOWN], *more])


_Values = Callable[[RunManifest], Mapping[Any, Any]]

_FACTS: dict[str, _Values] = {
    "version of the scoring": lambda told: {"": told.scoring},
    "secret seed": lambda told: {"": told.secret_seed or "none"},
    "fingerprint of the dataset": lambda told: {
        spec: about.fingerprint for spec, about in told.datasets.items()
    },
    "parameters of the protocol": lambda told: {
        spec: dict(about.params) for spec, about in told.protocols.items()
    },
    "version of the imputer": lambda told: {
        spec: about.version for spec, about in told.imputers.items()
    },
    "parameters of the imputer": lambda told: {
        spec: dict(about.params) for spec, about in told.imputers.items()
    },
    "metrics of": lambda told: {
        f"{item.protocol} on {item.dataset}": list(item.metrics) for item in told.problems
    },
    "conventions of": lambda told: {
        f"{item.protocol} on {item.dataset}": list(item.conventions) for item in told.problems
    },
}
"""What must agree → its values by name; an empty name where a run has one value only."""


def _differing(runs: Sequence[MergeInput], what: str, values: _Values) -> Iterator[str]:
    first: dict[Hashable, tuple[Any, str]] = {}
    for run in runs:
        for name, value in values(run.manifest).items():
            known, where = first.setdefault(name, (value, run.name))
            if known != value:
                label = f"{what} {name}".strip()
                yield f"{label}: {_shown(known)} in {where}, {_shown(value)} in {run.name}"


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 200 else f"{text[:200]}…"
