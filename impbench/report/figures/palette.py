"""One colour and marker per imputer, the same in every figure of a page.

Colours are Okabe and Ito's (Color Universal Design, 2008) and, beyond them, Paul Tol's muted set;
controls are greys, the oracle is black and attainable violet, so that they stand apart from methods
at a glance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from impbench.report.analysis.run import ATTAINABLE, Run
from impbench.report.text import short_names

METHOD_COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#882255",
    "#332288",
    "#999933",
    "#44AA99",
)
METHOD_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""Seven markers against ten colours: seventy methods before a pair repeats."""

CONTROL_COLOUR = "#9a9a9a"
CONTROL_MARKERS = ("o", "s", "^", "D", "v")
ORACLE_COLOUR = "#1a1a1a"
ATTAINABLE_COLOUR = "#5e35b1"

GROUP_COLOURS = (
    "#4477AA",
    "#EE6677",
    "#228833",
    "#CCBB44",
    "#66CCEE",
    "#AA3377",
    "#EE8866",
    "#332288",
    "#999933",
    "#44AA99",
    "#882255",
    "#777777",
)
"""For cell types; after a dozen they repeat."""

INK = "#22272e"
SOFT = "#6b7280"
FAINT = "#e3e6ea"


@dataclass(frozen=True)
class Look:
    """How an imputer is drawn; `label` is its name, short enough for a figure."""

    label: str
    colour: str
    marker: str
    is_control: bool

    @property
    def line(self) -> dict[str, Any]:
        """How its line is drawn: a control's is thin and dotted."""
        width, style = (0.8, ":") if self.is_control else (1.4, "-")
        return {"color": self.colour, "linewidth": width, "linestyle": style}


def looks(run: Run) -> dict[str, Look]:
    """Return a look per imputer, by its place in the run's plan."""
    labels = short_names(list(run.imputers))
    found = {}
    for i, name in enumerate(run.methods):
        colour = METHOD_COLOURS[i % len(METHOD_COLOURS)]
        marker = METHOD_MARKERS[i % len(METHOD_MARKERS)]
        found[name] = Look(labels[name], colour, marker, False)
    for i, name in enumerate(run.controls):
        marker = CONTROL_MARKERS[i % len(CONTROL_MARKERS)]
        found[name] = Look(labels[name], CONTROL_COLOUR, marker, True)
    for name in filter(run.sees_truth, run.imputers):
        colour = ATTAINABLE_COLOUR if name == ATTAINABLE else ORACLE_COLOUR
        found[name] = Look(labels[name], colour, "*", True)
    return found
