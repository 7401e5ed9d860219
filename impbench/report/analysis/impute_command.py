"""Write the line that imputes a user's own data as the run did: same counts, same options."""

from __future__ import annotations

import re
import shlex
from typing import Any

from impbench.data.result_places import FREE
from impbench.report.analysis.run import Run
from impbench.report.text import slug
from impbench.results.manifest import AboutDataset


def impute_command(run: Run, imputer: str) -> str:
    """Return a line for a shell, or for Python where the data were in memory.

    Empty where the run is about no data of the user's own, or about several.
    """
    own = [about for about in run.datasets.values() if about.own]
    if len(own) != 1:
        return ""
    plugin = run.imputers[imputer].plugin
    if own[0].own == "memory":
        chosen = {name: value for name, value in _options(own[0], run).items() if value}
        said = "".join(f", {name}={value!r}" for name, value in chosen.items())
        return f"impbench.impute(adata, {imputer!r}{said})"
    name = re.sub(r"[^\w.-]+", "-", own[0].title.partition("[")[0])
    path, out = str(own[0].parameters.get("path", "")), f"{name}-{slug(imputer)}.h5ad"
    words = ["impbench", "impute", path, "--method", imputer, "--out", out]
    for key, value in _options(own[0], run).items():
        option = f"--{key.replace('_', '-')}"
        words += [option] if value is True else [option, str(value)] if value else []
    words += ["--plugin", plugin] if plugin else []
    return shlex.join(words)


def _options(about: AboutDataset, run: Run) -> dict[str, Any]:
    """What to say besides, by the names that `impbench.impute` has for it."""
    told = about.parameters
    device = run.manifest.environment.device
    return {
        "layer": told.get("layer"),
        "scale": None if told.get("scale") == "auto" else told.get("scale"),
        "transpose": told.get("transpose"),
        "batch_key": told.get("batch_key"),
        # Methods that need to know how many groups there are were told.
        "n_groups": about.n_groups,
        # Another name for the result, where the data hold something of its usual one.
        "key_added": about.facts.get(FREE),
        "device": None if device in ("auto", "cpu") else device,
    }
