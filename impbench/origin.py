"""Say where a part of impbench comes from: its own tree, an installed package, or a file."""

from __future__ import annotations

import hashlib
import importlib.metadata
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from impbench.plugin_file import import_file

GROUP = "impbench"
"""Entry points of this group are plugins."""

OURS = ("impbench", "impbench_plugins")
"""Packages that are impbench itself; every other plugin is a stranger's."""


@dataclass(frozen=True)
class Origin:
    """A plugin, before anything of it is imported."""

    point: str = ""
    """Name of an entry point, such as ``shrink``."""
    entry: str = ""
    """Its value, such as ``my_package.shrink``."""
    distribution: str = ""
    """Name and version of the package that declares it."""
    file: Path | None = None
    """The file given with ``--plugin``; None for an entry point."""

    @property
    def name(self) -> str:
        """As messages show it."""
        return str(self.file) if self.file is not None else f"{self.point} ({self.entry})"

    @property
    def module(self) -> str:
        """Module that an entry point names; empty for a file."""
        return self.entry.partition(":")[0].strip()

    @property
    def home(self) -> str:
        """What belongs together because it is imported together: a package's top, or a file."""
        return str(self.file) if self.file is not None else self.module.partition(".")[0]

    @property
    def is_ours(self) -> bool:
        """Whether it is part of impbench."""
        return self.file is None and self.home in OURS

    @property
    def source(self) -> str:
        """Where a reader can look it up: package with version, or file with a hash of it."""
        if self.file is None:
            return f"{self.distribution} ({self.entry})" if self.distribution else self.entry
        return f"{self.file} (SHA-256 {self.digest[:12]})"

    @property
    def digest(self) -> str:
        """SHA-256 of the file; empty for an entry point."""
        return "" if self.file is None else hashlib.sha256(self.file.read_bytes()).hexdigest()

    def load(self) -> ModuleType:
        """Import the plugin in this process."""
        if self.file is not None:
            return import_file(self.file)
        point = importlib.metadata.EntryPoint(self.point, self.entry, GROUP)
        loaded: ModuleType = point.load()
        return loaded


def installed() -> list[Origin]:
    """List the installed plugins, impbench's own first: nobody can take their names."""
    # One distribution can stand on the path twice, and two can choose the same name.
    unique = {point.value: point for point in importlib.metadata.entry_points(group=GROUP)}
    origins = [
        Origin(point.name, point.value, _distribution(point))
        for point in sorted(unique.values(), key=lambda point: (point.name, point.value))
    ]
    return sorted(origins, key=lambda origin: not origin.is_ours)


def _distribution(point: importlib.metadata.EntryPoint) -> str:
    if point.value.partition(".")[0] in OURS or point.dist is None:
        return ""
    return f"{point.dist.name} {point.dist.version}"
