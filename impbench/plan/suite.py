"""A suite: a TOML file that names datasets, protocols, imputers and seeds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from impbench.reading import Rule, read_toml

Name = Annotated[str, Rule('a name in quotes such as "magic[t=5]"')]
Names = Annotated[tuple[Name, ...], Rule('a list of names such as ["magic[t=5]"]')]
SomeNames = Annotated[tuple[Name, ...], Rule('a list of names such as ["magic[t=5]"]', bool)]


@dataclass(frozen=True)
class Question:
    """Every protocol is asked of every dataset, and every imputer answers.

    Attributes
    ----------
    datasets, protocols
        Specs such as ``sim_rare[n_cells=500]`` and ``clustering[algorithm=leiden]``.
    imputers
        Specs; empty means the suite's.
    """

    datasets: SomeNames
    protocols: SomeNames
    imputers: Names = ()


@dataclass(frozen=True)
class Suite:
    """A named benchmark.

    Attributes
    ----------
    seeds
        Number of repeats; the seeds are 1, 2, and so on.
    controls
        Whether the control imputers run besides `imputers`. Only cost suites turn them off.
    timeout
        Seconds each job may take, or None for the runner's default.
    own_data
        Protocols for a user's own file; empty means those of the questions.
    """

    name: str
    title: str
    description: str
    questions: tuple[Question, ...]
    imputers: tuple[str, ...]
    seeds: int = 2
    controls: bool = True
    timeout: float | None = None
    own_data: tuple[str, ...] = ()


def read_suite(path: Path) -> Suite:
    """Read a suite file.

    Raises
    ------
    InputError
        If the file cannot be read, is not TOML, or a key is unknown, missing or not as it must be;
        names the line and the key.
    """
    file = read_toml(path, _File, "suite")
    told = {key: value for key, value in vars(file).items() if key not in ("question", "title")}
    title = path.stem if file.title is None else file.title
    return Suite(name=path.stem, title=title, questions=file.question, **told)


MOST_SEEDS = 10_000
LONGEST_TIMEOUT = 10**8
"""Seconds, three years."""

Seeds = Annotated[
    int,
    Rule(f"a positive whole number, at most {MOST_SEEDS}", lambda n: 0 < n <= MOST_SEEDS),
]
Timeout = Annotated[
    int | float | None,
    Rule(f"a positive number, at most {LONGEST_TIMEOUT}", lambda s: 0 < s <= LONGEST_TIMEOUT),
]


@dataclass(frozen=True)
class _File:
    """The keys of a suite file."""

    question: Annotated[
        tuple[Question, ...],
        Rule("at least one [[question]] with datasets and protocols", bool),
    ]
    title: str | None = None
    description: str = ""
    imputers: Names = ()
    seeds: Seeds = 2
    controls: bool = True
    timeout: Timeout = None
    own_data: Names = ()
