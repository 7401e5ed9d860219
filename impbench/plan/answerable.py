"""Who can be asked what: a method is asked what can be answered from the parts that it gives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args, get_origin

from impbench.errors import InputError
from impbench.gives import in_words, only_embedding
from impbench.imputer import Imputer, Part
from impbench.parameters import type_hints
from impbench.protocols.protocol import Protocol
from impbench.registry import Registry


@dataclass(frozen=True)
class Unasked:
    """A method that takes part, and the protocols of the run that it cannot answer."""

    imputer: str
    """Its spec."""
    protocols: tuple[str, ...]
    """Their specs."""
    gives: tuple[Part, ...]
    """What the method gives."""

    def __str__(self) -> str:
        """Such as ``clear gives only an embedding, so it is not asked masking and thinning``."""
        *others, last = self.protocols
        names = f"{', '.join(others)} and {last}" if others else last
        return f"{self.imputer} gives {in_words(self.gives)}, so it is not asked {names}"


def can_answer(imputer: Imputer, protocol: Protocol) -> bool:
    """Whether the method gives something that the question can be answered from."""
    return not {*imputer.gives}.isdisjoint(protocol.answered_from)


def who_answers(
    chosen: Sequence[Imputer], controls: Sequence[Imputer], protocol: Protocol
) -> tuple[Imputer, ...]:
    """Return who is asked `protocol`: of `chosen` who can answer, and the controls beside them.

    Nobody, where none of the chosen can. A control that gives only an embedding stands beside
    methods that do the same, and joins no other question.
    """
    able = [imputer for imputer in chosen if can_answer(imputer, protocol)]
    if chosen and not able:
        return ()
    of_embeddings = any(only_embedding(one.gives) and not one.is_control for one in able)
    beside = [
        control
        for control in controls
        if can_answer(control, protocol) and (of_embeddings or not only_embedding(control.gives))
    ]
    return tuple(dict.fromkeys([*able, *beside]))


def unasked(pairs: Iterable[tuple[Imputer, Protocol]]) -> tuple[Unasked, ...]:
    """Gather the pairs that cannot be, by method."""
    found: dict[Imputer, list[str]] = {}
    for imputer, protocol in pairs:
        if not can_answer(imputer, protocol):
            found.setdefault(imputer, []).append(protocol.spec)
    return tuple(
        Unasked(imputer.spec, tuple(dict.fromkeys(specs)), imputer.gives)
        for imputer, specs in found.items()
    )


def nothing_to_ask(imputer: Imputer, registry: Registry) -> InputError:
    """Return the error for a method that the user named and no question of the run can ask."""
    offer = questions_for(imputer.gives, registry)
    such = f": ask for --protocols {' or '.join(map(repr, offer[:3]))}" if offer else ""
    return InputError(
        f"{imputer.spec} gives {in_words(imputer.gives)}, and no question of this run can be "
        f"answered from that{such}"
    )


def questions_for(gives: Sequence[Part], registry: Registry) -> list[str]:
    """Return the protocols of ours that can be answered from these parts, each once.

    With its defaults, or else with one parameter changed. Those that most can answer come first.
    """
    found = {}
    for kind in registry.protocols.ours():
        able = [one for one in _variants(kind) if not {*gives}.isdisjoint(one.answered_from)]
        if able:
            best = max(able, key=lambda one: len(one.answered_from))
            found[best.spec] = len(best.answered_from)
    return sorted(found, key=lambda spec: -found[spec])


def _variants(kind: type[Protocol]) -> Iterable[Protocol]:
    yield kind()
    for name, hint in type_hints(kind).items():
        for choice in get_args(hint) if get_origin(hint) is Literal else ():
            yield kind(**{name: choice})
