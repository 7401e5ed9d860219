"""Keep in mind whose records a run goes on from, where its folder was put together from several."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from impbench.errors import InputError
from impbench.results.manifest import AboutMerged, RunManifest
from impbench.results.store import Store


@dataclass(frozen=True)
class EarlierParts:
    """The runs whose records a folder holds."""

    name: str
    """Of the folder."""
    earlier: tuple[AboutMerged, ...]
    """What its manifest said of them; empty where one run made it."""
    works: bool
    """Whether this run does anything itself."""

    @classmethod
    def of(cls, store: Store, records: Mapping[str, Any], works: bool) -> EarlierParts:
        """Read them; without `records` from before, none counts."""
        try:
            earlier = store.manifest().merged if records else ()
        except InputError:
            earlier = ()
        return cls(store.folder.name, earlier, works)

    def tell(self, manifest: dict[str, Any]) -> None:
        """Write them into a manifest, as it stands now, and this run behind them if it works."""
        if self.earlier:
            parts = [*self.earlier]
            if self.works:
                data = json.dumps(manifest, default=str).encode()
                parts.append(RunManifest.from_json(data).as_part(self.name))
            manifest["merged"] = [dataclasses.asdict(part) for part in parts]
