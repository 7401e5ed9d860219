"""Put data sets together by what they are: technology, size, and kind.

A reader filters the page's table of purposes by these; few values each, so that some data sets
are left under every one.
"""

from __future__ import annotations

from dataclasses import dataclass

from impbench.results.manifest import AboutDataset

SMALL = 300
"""Cells up to which a data set is small."""

MIDDLING = 1000
"""Cells up to which it is middling; above, it is large."""

TECHNOLOGIES = {
    "umi": "UMI: counts are molecules",
    "full-length": "full length: counts are reads",
    "other": "other: neither, or several",
    "simulated": "simulated",
    "unknown": "not said",
}
"""How `technology` is written for readers."""

SIZES = {
    "small": f"small: up to {SMALL} cells",
    "middling": f"middling: {SMALL + 1} to {MIDDLING} cells",
    "large": f"large: more than {MIDDLING} cells",
    "unknown": "not said",
}
"""How `size` is written for readers."""

KINDS = {
    "simulated": "simulated",
    "real": "real, whatever the labels",
    "measured": "real, labels from design, genotype or sorting",
    "computed": "real, labels from markers or clustering",
    "unlabelled": "real, nobody says where labels are from",
}
"""How `kind` is written for readers; ``real`` stands for all of the three below it."""

_LABELS = {
    **dict.fromkeys(("experimental", "genotype", "sorted"), "measured"),
    **dict.fromkeys(("markers", "computational"), "computed"),
}


@dataclass(frozen=True)
class Facets:
    """What one data set is: keys of `TECHNOLOGIES`, `SIZES` and `KINDS` (but ``real``)."""

    technology: str
    size: str
    kind: str


def facets_of(about: AboutDataset) -> Facets:
    """Say what a data set is; manifests of before say nothing of technology."""
    if about.simulated:
        technology, kind = "simulated", "simulated"
    else:
        told = str(about.facts.get("technology", ""))
        technology = told if told in ("umi", "full-length", "other") else "unknown"
        kind = _LABELS.get(about.labels_confidence, "unlabelled")
    return Facets(technology, _size(about.n_cells), kind)


def _size(n_cells: int | None) -> str:
    if n_cells is None:
        return "unknown"
    return "small" if n_cells <= SMALL else "middling" if n_cells <= MIDDLING else "large"
