"""The sandboxed process: reads what may be seen, imputes once per seed, writes what came out.

Run as ``python -P -m impbench.runner.worker request.json [CHANNEL]``, where CHANNEL is the
descriptor of a socket: the process is then kept for further requests. It imports nothing but NumPy,
SciPy, the contract and the plugin, and it is never told where the truth is. This file and what it
imports also run on Python 3.8.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.metadata
import importlib.util
import json
import os
import resource
import socket
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from impbench.errors import UnavailableError
from impbench.imputer import Context, Imputed, Imputer, Observed
from impbench.plugin_file import file_spec
from impbench.runner.exchange import load_observed, save_imputed
from impbench.runner.lifeline import die_with_parent
from impbench.runner.serve import end_descendants, may_fork, serve

_NOTABLE = {
    "numpy": "numpy",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "torch": "torch",
    "numba": "numba",
    "magic": "magic-impute",
}


def main(request_path: Path, channel: socket.socket | None = None) -> int:
    """Carry out one request; exit status 0 when every seed was imputed.

    Parameters
    ----------
    channel
        Over which this request and further ones for imputers of the same module come, each for a
        fork of this process if it may fork; see `serve`. What they share is made ready here.
    """
    alone = die_with_parent()
    _adopt_orphans()
    standby = _Standby()
    try:
        standby.get_ready(_read(request_path))
        if channel is not None:
            alone()
            if may_fork():
                request_path = serve(channel, standby.get_ready_watched)
                _adopt_orphans()
            die_with_parent()
        _carry_out(standby, request_path)
    except BaseException as error:
        traceback.print_exc()
        kind, message = type(error).__name__, str(error).strip()
        _write(request_path.parent / "error.json", {"type": kind, "message": message})
        return 1
    return 0


@dataclass
class _Standby:
    """What requests that follow each other may have in common, so that forks need not make it.

    Attributes
    ----------
    reference, imputer
        What the last request said of its imputer; that imputer, prepared.
    view, observed
        Folder of what it was to see; that, also on the scale it asks for.
    """

    reference: dict[str, Any] | None = None
    imputer: Imputer | None = None
    view: str | None = None
    observed: Observed | None = None

    def get_ready(self, request: dict[str, Any]) -> tuple[Imputer, Observed]:
        """Return what `request` needs; make only what the last one did not need."""
        if self.reference != request["imputer"]:
            self.reference, self.view = None, None
            self.imputer = build_imputer(request["imputer"])
            if lack := type(self.imputer).unavailable():
                raise UnavailableError(lack)
            self.imputer.prepare(_contexts(request)[0])
            _versions(self.imputer, [])  # looked up once, for all forks
            self.reference = request["imputer"]
        assert self.imputer is not None
        if self.view != request["view"]:
            # The last one goes first: both may not fit.
            self.view, self.observed = None, None
            self.observed = load_observed(Path(request["view"]))
            if self.imputer.input_scale == "lognorm":
                _ = self.observed.lognorm
            self.view = request["view"]
        assert self.observed is not None
        return self.imputer, self.observed

    def get_ready_watched(self, request_path: Path) -> None:
        """Get ready for the request in a file, but end if the runner does."""
        request = _read(request_path)
        if (self.reference, self.view) != (request["imputer"], request["view"]):
            alone = die_with_parent()
            try:
                self.get_ready(request)
            finally:
                alone()


def _carry_out(standby: _Standby, request_path: Path) -> None:
    """Impute what the request asks for, then say what it cost."""
    request, folder = _read(request_path), request_path.parent
    imputer, observed = standby.get_ready(request)
    cost = _impute_view(imputer, observed, request, 0, folder)
    for again in request["again"]:
        output = folder / again["name"]
        output.mkdir()
        observed = load_observed(Path(again["view"]))
        _impute_view(imputer, observed, request, again["seed_shift"], output)
    _write(folder / "done.json", cost)


def _impute_view(
    imputer: Imputer, observed: Observed, request: dict[str, Any], seed_shift: int, folder: Path
) -> dict[str, Any]:
    """Impute for every seed asked for, into ``folder/seed-N``; return what it cost."""
    results, cost = impute_timed(imputer, observed, _contexts(request, seed_shift))
    for place, imputed in enumerate(results):
        output = folder / f"seed-{request['seeds'][place]}"
        output.mkdir()
        save_imputed(output, imputed)
    return cost


def _contexts(request: dict[str, Any], seed_shift: int = 0) -> list[Context]:
    return [
        Context(
            seed=seed + seed_shift,
            device=request["device"],
            threads=request["threads"],
            scratch=Path(request["scratch"]),
        )
        for seed in request["seeds"]
    ]


def build_imputer(reference: dict[str, Any]) -> Imputer:
    """Import the class a reference names and construct it with its parameters."""
    if reference["file"]:
        spec = file_spec(reference["module"], Path(reference["file"]))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[reference["module"]] = module
        spec.loader.exec_module(module)
    else:
        module = importlib.import_module(reference["module"])
    target: Any = module
    for part in reference["class"].split("."):
        target = getattr(target, part)
    parameters = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in reference["params"].items()
    }
    imputer = target(**parameters)
    assert isinstance(imputer, Imputer)
    return imputer


def impute_timed(
    imputer: Imputer, observed: Observed, contexts: Sequence[Context]
) -> tuple[list[Imputed], dict[str, Any]]:
    """Impute for every context, with an imputer that is prepared; only that is timed.

    Returns
    -------
    One `Imputed` per context, and the cost (wall and CPU seconds per seed, memory) with versions.
    """
    if imputer.input_scale == "lognorm":
        _ = observed.lognorm
    wall, cpu = time.perf_counter(), _cpu_seconds()
    results = list(imputer.impute_many(observed, contexts))
    wall, cpu = time.perf_counter() - wall, _cpu_seconds() - cpu
    if len(results) != len(contexts):
        raise ValueError(f"impute_many returned {len(results)} results for {len(contexts)} seeds")
    for result in results:
        if not isinstance(result, Imputed):
            raise TypeError(f"impute must return impbench.Imputed, got {type(result).__name__}")
    return results, {
        "wall_seconds": wall / len(contexts),
        "cpu_seconds": cpu / len(contexts),
        "peak_memory": _peak_memory(),
        "versions": _versions(imputer, results),
    }


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _peak_memory() -> int:
    """Largest resident size of this process so far, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not getrusage: on Linux its peak also counts the parent before it started this program.
        lines = status.read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _versions(imputer: Imputer, results: Sequence[Imputed]) -> dict[str, str]:
    """Name what took part; ``info["versions"]`` tells what lies outside Python, such as R."""
    found = {
        package: _version(package) for module, package in _NOTABLE.items() if module in sys.modules
    }
    python = ".".join(map(str, sys.version_info[:3]))
    told: dict[str, Any] = {}
    for result in results:
        told.update(result.info.get("versions", {}))
    return {"python": python, imputer.name: imputer.version, **found, **told}


@lru_cache
def _version(package: str) -> str:
    return importlib.metadata.version(package)


def _adopt_orphans() -> None:
    """Make every descendant's orphans our own children, so that none gets away (Linux only)."""
    if sys.platform.startswith("linux"):
        set_child_subreaper = 36
        ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _write(path: Path, content: dict[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(content), encoding="utf-8")
    partial.replace(path)


if __name__ == "__main__":
    # os._exit: what a plugin registered for interpreter exit must not change the outcome.
    over = None if len(sys.argv) == 2 else socket.socket(fileno=int(sys.argv[2]))
    status = main(Path(sys.argv[1]), over)
    end_descendants()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
