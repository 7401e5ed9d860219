"""Measure a method as a benchmark's readers would want it measured, and write its row."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from impbench import api
from impbench.errors import InputError
from impbench.merging.row_file import SubmittedMethod, write_row
from impbench.plan.keys import code_version, plugin_file
from impbench.plan.suite import Suite
from impbench.registry import Registry, load_file, registry
from impbench.results.manifest import RunManifest
from impbench.results.store import Store
from impbench.runner.outcome import Results
from impbench.runner.secret import Secret
from impbench.worker.isolation import in_force

SHUT = "landlock"
"""How the isolation is called in which a method can open nothing but its own files."""


def submit(
    method: str,
    suite: Suite,
    out: Path,
    *,
    unisolated: bool = False,
    announce: Callable[[str], None] = lambda text: None,
    **how: Any,
) -> Results:
    """Check `method`, run the suite with it and a secret seed, and write one file.

    The run is kept in a folder beside `out`; one that was interrupted there goes on, with its
    secret.

    Parameters
    ----------
    method
        Path of a plugin file, for all imputers that it brings, or the spec of an imputer.
    unisolated
        Go on where the system cannot shut methods in; the file says so.
    announce
        Told what comes next.
    how
        As in `impbench.run`: settings, executor, listener, report and so on.

    Raises
    ------
    InputError
        If a method cannot be shut in here, breaks a promise of the contract, or `out` cannot be
        written.
    """
    isolation = in_force()
    if not isolation.startswith(SHUT) and not unisolated:
        raise InputError(
            f"methods cannot be shut in on this system (isolation: {isolation}), so nobody could "
            "tell that yours saw no truth: run this on Linux 5.13 or newer, or add --unisolated, "
            "which the file will say"
        )
    file = Path(method)
    names = _brought(file.resolve()) if file.is_file() else [method]
    known = registry()
    specs = [known.imputer(name).spec for name in names]
    about = []
    for spec in specs:
        announce(f"checking {spec}")
        about.append(_described(known, spec, _conformance(known, spec)))
    folder = run_folder(out)
    secret = _secret(folder)
    results = api.run(suite, folder, imputers=specs, secret=secret, **how)
    write_row(about, results.stored, out)
    return results


def run_folder(out: Path) -> Path:
    """Return where the run behind a row is kept."""
    return out.with_name(f"{out.stem}-run")


def _brought(file: Path) -> list[str]:
    load_file(file)
    names = registry().imputers_of_files().get(file, [])
    if not names:
        raise InputError(f"{file} brings no imputer, so there is nothing to submit")
    return names


def _described(known: Registry, spec: str, conformance: dict[str, str]) -> SubmittedMethod:
    kind = type(known.imputer(spec))
    entry = known.imputers.entry(kind.name)
    assert entry is not None
    origin = entry.origin
    return SubmittedMethod(
        imputer=spec,
        version=code_version(kind),
        summary=kind.summary,
        citation=kind.citation,
        source=origin.source if origin.file is None else origin.file.name,
        sha256=origin.digest,
        conformance=conformance,
    )


def _conformance(known: Registry, spec: str) -> dict[str, str]:
    """Return check → verdict, from a process of its own: this one must import no method."""
    file = plugin_file(type(known.imputer(spec)))
    command = [sys.executable, "-m", "impbench.cli", "plugin", "test", spec, "--json"]
    command += ["--plugin", str(file)] if file is not None else []
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        rows: Sequence[dict[str, str]] = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        said = " ".join(done.stderr.split())[-500:]
        raise InputError(
            f"the conformance suite broke off at {spec} (status {done.returncode}): {said}"
        ) from None
    failed = [row for row in rows if row["verdict"] == "failed"]
    if failed:
        lines = "\n  ".join(f"{row['check']}: {row['message']}; {row['remedy']}" for row in failed)
        raise InputError(
            f"{spec} fails {len(failed)} of {len(rows)} checks of the conformance suite "
            f"(`impbench plugin test` shows all of it):\n  {lines}"
        )
    return {row["check"]: row["verdict"] for row in rows}


def _secret(folder: Path) -> Secret:
    """Return that of the run that was interrupted there, or a new one."""
    try:
        told: RunManifest = Store.open(folder).manifest()
    except InputError:
        return Secret.draw()
    if told.secret_seed and not told.finished:
        return Secret(told.secret_seed)
    return Secret.draw()
