"""Draw a seed that nobody knows while a run goes on, so that no method can look answers up.

Whoever has impbench can simulate ``sim_rare`` with its default seed, or draw the masks of a
question, and so knows what is hidden. With a secret the simulations and masks of a run are others.
The secret stays in the runner's memory: no command line, no environment and no file holds it, nor
anything from which it follows, until the run ends and its manifest tells it.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from impbench.data.dataset import Source
from impbench.errors import InputError

_DIGITS = 32
"""Hexadecimal: 128 bits, too many to try."""

_TELLING = ("facts", "parameters", "fingerprint")
"""What the manifest says of a simulated dataset that its seed determines."""


@dataclass(frozen=True)
class Secret:
    """What the seeds of one run come from."""

    value: str = field(repr=False)
    """32 hexadecimal digits."""

    def __post_init__(self) -> None:
        if not re.fullmatch(f"[0-9a-f]{{{_DIGITS}}}", self.value):
            raise InputError(
                f"{self.value!r} is no secret seed; it has {_DIGITS} hexadecimal digits and stands "
                "in the manifest.json of the run to repeat, as secret_seed"
            )

    @classmethod
    def draw(cls) -> Secret:
        """Draw one from the system's randomness."""
        return cls(secrets.token_hex(_DIGITS // 2))

    @property
    def pose_seed(self) -> int:
        """The seed of all masks and splits."""
        return self._number("questions", 2**32)

    def redraw(self, source: Source) -> Source:
        """Return the source with a seed of ours, if it has one and the user chose none."""
        for item in fields(source):
            if item.name == "seed" and source.parameters()["seed"] == item.default:
                bound = int(item.metadata.get("max") or 2**31 - 1) + 1
                return replace(source, **{"seed": self._number(source.spec, bound)})
        return source

    def _number(self, purpose: str, bound: int) -> int:
        digest = hashlib.sha256(f"{self.value}|{purpose}".encode()).digest()
        return int.from_bytes(digest, "big") % bound


def withhold(manifest: Mapping[str, Any], redrawn: Collection[str]) -> dict[str, Any]:
    """Return the manifest without what tells the seeds of the datasets named."""
    datasets = {
        name: {key: value for key, value in facts.items() if key not in _TELLING}
        if name in redrawn
        else facts
        for name, facts in manifest["datasets"].items()
    }
    return {**manifest, "datasets": datasets}
