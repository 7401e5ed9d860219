"""Read and write the baseline file: scores as JSON that people can read and diff.

One line per score, sorted, without times or machine names: the same run always gives the same
bytes, and a diff shows which scores moved. A digest tells a file that was edited by hand.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impbench.errors import InputError
from impbench.reading import parse_json
from impbench.regress.measured import ComparedMetric, Measured, Runtime, Sample, ScoreKey
from impbench.write_atomically import write_atomically

FORMAT = 2
"""Raised when the file's fields change meaning."""


def write_baseline(measured: Measured, path: Path) -> None:
    """Store what a run measured; `path` is written whole or not at all.

    Methods whose results are bound to one build of their libraries are left out.

    Raises
    ------
    InputError
        If no score is defined for two seeds, or the file cannot be written.
    """
    measured = measured.reproducible()
    if all(sample.n < 2 for sample in measured.scores.values()):
        raise InputError("no score has two seeds with a value: there is nothing to compare with")
    write_atomically(path, to_json(measured).encode("utf-8", _HALVES))


def read_baseline(path: Path) -> Measured:
    """Read what `write_baseline` wrote.

    Raises
    ------
    InputError
        If the file is missing, is not such a file, or was changed by anything but impbench.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"baseline {path} cannot be read: {error.strerror}; "
            f"write one with `impbench baseline create RUN -o {path}`"
        ) from error
    return from_json(data, f"baseline {path}")


def to_json(measured: Measured) -> str:
    """Return the file's text."""
    content = _content(measured)
    lines = ",\n".join(_lines({**content, "digest": _digest(content)}, depth=_DEPTH))
    return "{\n" + lines + "\n}\n"


def from_json(data: bytes, origin: str = "baseline") -> Measured:
    """Read the file's bytes; errors as `read_baseline`, naming `origin`."""
    document = parse_json(data, origin, "write it again with `impbench baseline create RUN`")
    tree = document.tree
    if not isinstance(tree, dict) or not isinstance(tree.get("format"), int):
        raise document.error((), "is not an impbench baseline")
    if tree["format"] != FORMAT:
        raise document.error(
            ("format",), f"is {tree['format']}; this impbench reads format {FORMAT}"
        )
    if tree.pop("digest", None) != _digest(tree):
        raise document.error(
            (),
            "was changed after impbench wrote it (its digest does not fit its content); numbers "
            "that nobody measured are not compared with",
        )
    return _measured(document.fit(_File, strict=False))


def _content(measured: Measured) -> dict[str, Any]:
    scores: dict[str, Any] = {}
    for entry, sample in measured.scores.items():
        imputers = scores.setdefault(entry.dataset, {}).setdefault(entry.protocol, {})
        imputers.setdefault(entry.imputer, {})[entry.metric] = _sample(sample)
    runtimes: dict[str, Any] = {}
    for (dataset, imputer), runtime in measured.runtimes.items():
        seconds = {str(seed): value for seed, value in runtime.seconds.items()}
        stored = {**dataclasses.asdict(runtime), "seconds": seconds}
        runtimes.setdefault(dataset, {})[imputer] = stored
    return {
        "format": FORMAT,
        "impbench": measured.impbench,
        "scoring": measured.scoring,
        "suite": measured.suite,
        "datasets": dict(measured.datasets),
        "imputers": dict(measured.imputers),
        "metrics": {name: dataclasses.asdict(facts) for name, facts in measured.metrics.items()},
        "scores": scores,
        "runtimes": runtimes,
    }


def _sample(sample: Sample) -> dict[str, Any]:
    summary = {"n": sample.n, "mean": sample.mean, "sd": sample.sd}
    stored: dict[str, Any] = {
        name: None if math.isnan(value) else value for name, value in summary.items()
    }
    stored["values"] = {str(seed): value for seed, value in sample.values.items()}
    if sample.leads:
        stored["leads"] = True
    if sample.lost:
        stored["lost"] = {str(seed): status for seed, status in sample.lost.items()}
    return stored


@dataclass(frozen=True)
class _File:
    """What is read of a file; number, mean and deviation are there for people."""

    scoring: str
    suite: str
    impbench: str
    datasets: dict[str, str]
    imputers: dict[str, str]
    metrics: dict[str, ComparedMetric]
    scores: dict[str, dict[str, dict[str, dict[str, Sample]]]]
    runtimes: dict[str, dict[str, Runtime]]


_DEPTH = {"scores": 4, "runtimes": 2, "metrics": 1, "datasets": 1, "imputers": 1}
"""How many levels of a part are unfolded; what lies deeper stands on one line."""


def _lines(data: dict[str, Any], depth: dict[str, int], level: int = 1) -> Iterator[str]:
    """Write each member, sorted below the top level, members of members indented."""
    pad = " " * level
    for key in data if level == 1 else sorted(data):
        value, name = data[key], json.dumps(key, ensure_ascii=False)
        deeper = depth.get(key, 0) if level == 1 else depth[""] - 1
        if isinstance(value, dict) and value and deeper > 0:
            inside = ",\n".join(_lines(value, {"": deeper}, level + 1))
            yield f"{pad}{name}: {{\n{inside}\n{pad}}}"
        else:
            yield f"{pad}{name}: {json.dumps(value, ensure_ascii=False, allow_nan=False)}"


_HALVES = "backslashreplace"
"""Half a character, as in the name of a file that is no text, becomes JSON's own escape."""


def _digest(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return f"sha256:{hashlib.sha256(text.encode('utf-8', _HALVES)).hexdigest()}"


def _measured(file: _File) -> Measured:
    scores = {
        ScoreKey(dataset, protocol, imputer, metric): sample
        for dataset, protocols in file.scores.items()
        for protocol, imputers in protocols.items()
        for imputer, metrics in imputers.items()
        for metric, sample in metrics.items()
    }
    runtimes = {
        (dataset, imputer): runtime
        for dataset, imputers in file.runtimes.items()
        for imputer, runtime in imputers.items()
    }
    sorted_parts = {
        "scores": dict(sorted(scores.items())),
        "runtimes": dict(sorted(runtimes.items())),
    }
    return Measured(**{**vars(file), **sorted_parts})
