"""Keep the run of one method as one JSON file, to be sent to others and read line by line.

It begins with what a reviewer looks at: the method, how it did in the conformance suite, its scores
beside the controls'. Then come the run's manifest and records, from which all of that can be made
again. A digest tells a file that was edited by hand; it proves nothing about who measured.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impbench.errors import InputError
from impbench.merging.inputs import MergeInput
from impbench.reading import parse_json
from impbench.results.manifest import RunManifest
from impbench.results.record import Record
from impbench.results.store import StoredRun
from impbench.write_atomically import write_atomically

FORMAT = 1
"""Raised when the file's fields change meaning."""


@dataclass(frozen=True)
class SubmittedMethod:
    """Whose row it is."""

    imputer: str
    version: str
    summary: str = ""
    citation: str = ""
    source: str = ""
    """Name of its file, or package with version."""
    sha256: str = ""
    """Of that file; empty for a package."""
    conformance: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Check → ``passed``, ``failed`` or ``skipped``."""


def write_row(methods: Sequence[SubmittedMethod], stored: StoredRun, path: Path) -> None:
    """Write a run with the methods that it is about; whole or not at all.

    Logs of what went well, and paths of the user's own machine, are left out.
    """
    imputers = {
        spec: dataclasses.replace(about, plugin=Path(about.plugin).name)
        for spec, about in stored.manifest.imputers.items()
    }
    records = [
        dataclasses.replace(record, log="") if record.status == "ok" else record
        for record in stored.records
    ]
    content = {
        "format": FORMAT,
        "methods": [dataclasses.asdict(method) for method in methods],
        "scores": _scores(records),
        "manifest": dataclasses.asdict(dataclasses.replace(stored.manifest, imputers=imputers)),
        "records": [json.loads(record.to_json()) for record in records],
    }
    # As it will be read: tuples are lists, names are texts.
    content = json.loads(json.dumps(content, allow_nan=False, default=str))
    write_atomically(path, _text({**content, "digest": _digest(content)}).encode())


def read_row(path: Path) -> MergeInput:
    """Read what `write_row` wrote.

    Raises
    ------
    InputError
        If it is no such file, or was changed by anything but impbench; names it and the place.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    document = parse_json(data, str(path), "write it again with `impbench submit`")
    tree = document.tree
    if not isinstance(tree, dict) or "methods" not in tree or "records" not in tree:
        raise document.error((), "is no row of a method")
    if tree.get("format") != FORMAT:
        shown = json.dumps(tree.get("format"))[:20]
        raise document.error(("format",), f"is {shown}; this impbench reads format {FORMAT}")
    if tree.pop("digest", None) != _digest(tree):
        raise document.error(
            (),
            "was changed after impbench wrote it (its digest does not fit its content); numbers "
            "that nobody measured have no place among others",
        )
    file = document.fit(_RowFile, strict=False)
    records: dict[str, Record] = {}
    for place, item in enumerate(file.records):
        record = Record.from_json(json.dumps(item), f"{path}, records[{place}]")
        if record.key not in file.manifest.keys or record.key in records:
            raise document.error(("records", place, "key"), "is not in the manifest, or twice")
        records[record.key] = record
    return MergeInput(str(path), path.stem, file.manifest, records)


@dataclass(frozen=True)
class _RowFile:
    """What is read of a file; methods and scores are there for people."""

    methods: tuple[SubmittedMethod, ...]
    manifest: RunManifest
    records: tuple[dict[str, Any], ...]


def _scores(records: Sequence[Record]) -> dict[str, dict[str, dict[str, float | None]]]:
    """Return the mean over seeds: question → metric → imputer; None if one failed or has none."""
    values: dict[str, dict[str, dict[str, list[float]]]] = {}
    for record in records:
        job = record.job
        metrics = values.setdefault(f"{job.protocol} on {job.dataset}", {})
        for metric in record.metrics:
            value = record.scores.get(metric, math.nan)
            metrics.setdefault(metric, {}).setdefault(job.imputer, []).append(value)
    return {
        question: {
            metric: {name: _mean(found) for name, found in imputers.items()}
            for metric, imputers in metrics.items()
        }
        for question, metrics in values.items()
    }


def _mean(values: Sequence[float]) -> float | None:
    total = math.fsum(values)
    return float(f"{total / len(values):.6g}") if math.isfinite(total) else None


def _text(content: Mapping[str, Any]) -> str:
    """Lay it out to be read: a line for each metric of a question, and for each record."""
    parts = []
    for name, value in content.items():
        if name == "records":
            lines = ",\n".join(f"  {json.dumps(record)}" for record in value)
            text = f"[\n{lines}\n ]"
        elif name == "scores":
            questions = []
            for question, metrics in value.items():
                rows = ",\n".join(
                    f"   {json.dumps(metric)}: {json.dumps(row)}" for metric, row in metrics.items()
                )
                questions.append(f"  {json.dumps(question)}: {{\n{rows}\n  }}")
            text = "{\n" + ",\n".join(questions) + "\n }"
        else:
            text = json.dumps(value, indent=1).replace("\n", "\n ")
        parts.append(f" {json.dumps(name)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _digest(content: Any) -> str:
    text = json.dumps(content, sort_keys=True)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
