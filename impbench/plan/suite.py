"""A suite: a TOML file that names datasets, protocols, imputers and seeds."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impbench.errors import InputError


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

    datasets: tuple[str, ...]
    protocols: tuple[str, ...]
    imputers: tuple[str, ...] = ()


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


MOST_SEEDS = 10_000
LONGEST_TIMEOUT = 10**8
"""Seconds, three years."""

_KEYS = {
    "title",
    "description",
    "imputers",
    "seeds",
    "controls",
    "timeout",
    "own_data",
    "question",
}
_QUESTION_KEYS = {"datasets", "protocols", "imputers"}


def read_suite(path: Path) -> Suite:
    """Read a suite file.

    Raises
    ------
    InputError
        If the file cannot be read, is not TOML (says the line), or a key is unknown, missing or
        of the wrong type (says the key and its line).
    """
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except OSError as error:
        raise InputError(f"suite {path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"suite {path} is not valid TOML: {error}") from error
    return _Reader(path, text).suite(data)


@dataclass(frozen=True)
class _Reader:
    """Checks one file and says where it is wrong."""

    path: Path
    text: str

    def suite(self, data: Mapping[str, Any]) -> Suite:
        self.known(data, _KEYS, "")
        questions = data.get("question")
        if not isinstance(questions, list) or not questions:
            raise self.error("question", "at least one [[question]] with datasets and protocols")
        return Suite(
            name=self.path.stem,
            title=self.text_value(data, "title", self.path.stem),
            description=self.text_value(data, "description", ""),
            questions=tuple(self.question(item) for item in questions),
            imputers=self.specs(data, "imputers", ()),
            seeds=self.number(data, "seeds", 2, whole=True),
            controls=self.flag(data, "controls", True),
            timeout=self.number(data, "timeout", None),
            own_data=self.specs(data, "own_data", ()),
        )

    def question(self, data: Any) -> Question:
        if not isinstance(data, dict):
            raise self.error("question", "tables written [[question]]")
        self.known(data, _QUESTION_KEYS, "question.")
        return Question(
            datasets=self.specs(data, "datasets", None),
            protocols=self.specs(data, "protocols", None),
            imputers=self.specs(data, "imputers", ()),
        )

    def known(self, data: Mapping[str, Any], keys: set[str], prefix: str) -> None:
        for key in data:
            if key not in keys:
                raise self.error(key, f"one of the keys {', '.join(sorted(keys))}", prefix)

    def specs(
        self, data: Mapping[str, Any], key: str, default: tuple[str, ...] | None
    ) -> tuple[str, ...]:
        value = data.get(key, default)
        good = isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
        if not good or (default is None and not value):
            raise self.error(key, 'a list of names such as ["magic[t=5]"]')
        return tuple(value)

    def text_value(self, data: Mapping[str, Any], key: str, default: str) -> str:
        value = data.get(key, default)
        if not isinstance(value, str):
            raise self.error(key, "text in quotes")
        return value

    def flag(self, data: Mapping[str, Any], key: str, default: bool) -> bool:
        value = data.get(key, default)
        if not isinstance(value, bool):
            raise self.error(key, "true or false")
        return value

    def number(self, data: Mapping[str, Any], key: str, default: Any, whole: bool = False) -> Any:
        value = data.get(key, default)
        kind = int if whole else (int, float)
        if value is None:
            return None
        most = MOST_SEEDS if whole else LONGEST_TIMEOUT
        if isinstance(value, bool) or not isinstance(value, kind) or not 0 < value <= most:
            raise self.error(key, f"a positive {'whole ' * whole}number, at most {most}")
        return value

    def error(self, key: str, expected: str, prefix: str = "") -> InputError:
        line = next(
            (
                number
                for number, text in enumerate(self.text.splitlines(), 1)
                if re.match(rf"\s*\[*\s*[\"']?{re.escape(key)}\b", text)
            ),
            None,
        )
        where = f"line {line}" if line else "key missing"
        return InputError(f"suite {self.path}, {where}: {prefix}{key} must be {expected}")
