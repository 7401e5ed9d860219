"""Pack what a Dask worker is sent once: views, hidden halves and plugin files, compressed."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from impbench.plan.task import Posed, Task
from impbench.scoring.truth_file import conceal_bytes, read_bytes
from impbench.worker.exchange import LOGS, map_observed, save_logs

_LEVEL = 1
"""Of zlib: counts are mostly zeros, and more effort would save little."""


@dataclass(frozen=True)
class Bundle:
    """Everything that tasks need and workers may not have."""

    views: dict[str, bytes]
    """By name of the view's folder: a zip of its files."""
    hidden: dict[int, bytes]
    """By the descriptor it has where the run was started: what `conceal` wrote, compressed."""
    files: dict[str, bytes]
    """Plugin files, and what manifests name beside them, by relative path; each plugin has a
    folder that is named by its contents."""


@dataclass(frozen=True)
class Unpacked:
    """A bundle that has arrived."""

    folder: Path
    """Holds views and plugin files, and nothing of what is hidden."""
    descriptors: dict[int, int]
    """Of the nameless files with what is hidden, by the descriptor at the sender's."""

    def posed(self, posed: Posed) -> Posed:
        """Return `posed` as it lies here."""
        return replace(
            posed,
            view=self._view(posed.view),
            hidden=self.descriptors[posed.hidden],
            again=tuple(replace(again, view=self._view(again.view)) for again in posed.again),
        )

    def file(self, name: str) -> Path:
        """Return where the plugin file of that name lies."""
        return self.folder / "plugins" / name

    def close(self) -> None:
        """Let go of everything hidden."""
        for descriptor in self.descriptors.values():
            os.close(descriptor)
        self.descriptors.clear()

    def _view(self, view: Path) -> Path:
        return self.folder / "views" / view.name


def pack(tasks: Iterable[Task], plugins: Iterable[Path]) -> Bundle:
    """Collect what `tasks` refer to, each part once, and all plugin files."""
    problems = list(dict.fromkeys(posed for task in tasks for posed in task.posed))
    views = dict.fromkeys(
        view for posed in problems for view in (posed.view, *(a.view for a in posed.again))
    )
    files: dict[str, bytes] = {}
    for plugin in plugins:
        files |= _plugin(plugin)
    return Bundle(
        views={view.name: _zipped(view) for view in views},
        hidden={
            descriptor: zlib.compress(read_bytes(descriptor), _LEVEL)
            for descriptor in dict.fromkeys(posed.hidden for posed in problems)
        },
        files=files,
    )


def unpack(bundle: Bundle, folder: Path) -> Unpacked:
    """Write what may be seen into `folder`, and what may not into files without a name."""
    for name, data in bundle.views.items():
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            archive.extractall(folder / "views" / name)
        save_logs(folder / "views" / name, map_observed(folder / "views" / name))
    for name, data in bundle.files.items():
        path = folder / "plugins" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o700)
    descriptors = {
        theirs: conceal_bytes(zlib.decompress(data), folder)
        for theirs, data in bundle.hidden.items()
    }
    return Unpacked(folder, descriptors)


def shipped_name(plugin: Path) -> str:
    """Return the name of a plugin file in `Bundle.files`."""
    return f"{hashlib.sha256(plugin.read_bytes()).hexdigest()[:12]}/{plugin.name}"


def _plugin(path: Path) -> dict[str, bytes]:
    """Return a plugin file, and the files beside it that a manifest's command names."""
    folder = PurePosixPath(shipped_name(path)).parent
    files = {shipped_name(path): path.read_bytes()}
    if path.suffix == ".toml":
        from impbench.external.manifest import read_manifest

        for word in read_manifest(path).command:
            beside = (path.parent / word).resolve()
            if word and beside.is_file() and beside.is_relative_to(path.parent.resolve()):
                relative = beside.relative_to(path.parent.resolve())
                files[str(folder / relative.as_posix())] = beside.read_bytes()
    return files


def _zipped(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for path in sorted(folder.iterdir()):
            if path.name != LOGS:  # Computed from the rest, and several times as large.
                archive.write(path, path.name)
    return buffer.getvalue()
