"""Print what there is: names of every kind, everything about one, the catalogue of datasets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from impbench.environments.environments import unobtainable
from impbench.errors import InputError, NotFoundError
from impbench.escape_text import escape
from impbench.gives import only_embedding
from impbench.hooks import KINDS
from impbench.imputer import Imputer
from impbench.lookup import find
from impbench.metrics.metric import Metric
from impbench.page_figure import PageFigure
from impbench.parameters import Parametrised, split_spec
from impbench.per_batch import PARAMETER, class_taking
from impbench.protocols.protocol import Protocol
from impbench.registry import Registry, registry
from impbench.truth_control import TRUTH_CONTROLS

_out = Console(highlight=False)


def print_list(kind: str | None, as_json: bool) -> None:
    """Print the names of one kind, or of all."""
    known = registry()
    kinds = KINDS if kind is None else (find_kind(kind),)
    listing = {name: dict(_summaries(known, name)) for name in kinds}
    if as_json:
        broken = [{"name": plugin.name, "reason": plugin.reason} for plugin in known.broken]
        print(json.dumps({**listing, "broken": broken}))
        return
    for name, entries in listing.items():
        if not entries:
            continue
        table = plain_table(name, "")
        for entry, summary in entries.items():
            table.add_row(f"[bold]{escape(entry)}[/]", escape(summary))
        _out.print(table)
    for plugin in known.broken:
        _out.print(f"[red]plugin {escape(plugin.name)} failed to load:[/] {escape(plugin.reason)}")


def find_kind(kind: str) -> str:
    """Accept ``imputer`` for ``imputers``; raise `NotFoundError` for anything else."""
    plural = kind if kind.endswith("s") else f"{kind}s"
    return find("kind of thing", dict(zip(KINDS, KINDS, strict=True)), plural)


def _summaries(known: Registry, kind: str) -> Iterable[tuple[str, str]]:
    if kind == "suites":
        from impbench.plan.suite import read_suite

        for name, path in known.suites.items():
            yield name, read_suite(path).description or read_suite(path).title
    elif kind == "imputers":
        for name, item in sorted(known.imputers.items()):
            lack = _lack(item)
            told = f"{item.summary}{'; gives only an embedding' * only_embedding(item.gives)}"
            yield name, f"{told} (unavailable: {lack})" if lack else told
        yield from ((control.name, control.summary) for control in TRUTH_CONTROLS.values())
    else:
        yield from sorted(known.parts(kind).summaries().items())


def print_info(name: str) -> None:
    """Print everything about one thing, whatever kind it is.

    Raises
    ------
    NotFoundError, InputError
        If there is no such thing, or a parameter in brackets does not fit: as `run` refuses it.
    """
    known = registry()
    bare, values = split_spec(name)
    if bare in TRUTH_CONTROLS:
        if values:
            known.imputer(name)
        summary = TRUTH_CONTROLS[bare].summary
        _facts("imputer", bare, {"summary": summary, "control": "yes, built in", "ranked": "no"})
        return
    tables = {kind: known.parts(kind) for kind in KINDS}
    for kind, table in tables.items():
        if bare in table:
            _print_one(kind.removesuffix("s"), bare, table[bare], values)
            return
    everything = {entry: None for table in tables.values() for entry in table}
    *kinds, last = (kind.removesuffix("s") for kind in KINDS)
    try:
        find(f"{', '.join(kinds)} or {last}", everything, bare, known.broken)
    except NotFoundError as error:
        text = str(error).partition("; `impbench list")[0]
        hint = "" if "did you mean" in text else "; `impbench list` shows what there is"
        raise NotFoundError(text + hint) from None


def _print_one(kind: str, name: str, item: Any, values: Mapping[str, str]) -> None:
    if isinstance(item, type) and issubclass(item, Parametrised):
        built = class_taking(item, values) if issubclass(item, Imputer) else item
        made = built.from_text(values)
        facts = {"summary": item.summary}
        if issubclass(item, Imputer):
            facts.update(_imputer_facts(item))
        elif getattr(item, "reference", ""):
            facts["reference"] = item.reference  # type: ignore[attr-defined]
        if isinstance(made, Protocol):
            facts["answered from"] = " or ".join(made.answered_from)
        if issubclass(item, Protocol):
            facts.update({f"offers {offer}": line for offer, line in item.offers.items()})
        _facts(kind, made.spec, facts)
        _parameters(made)
    elif values:
        raise InputError(f"the {kind} {name!r} has no parameters")
    elif isinstance(item, Metric):
        _facts(kind, name, _metric_facts(registry().metric(name)))
    elif kind == "suite":
        _out.print(f"[bold]{escape(name)}[/] (suite): {escape(str(item))}", soft_wrap=True)
        _out.print(escape(item.read_text(encoding="utf-8")))
    elif isinstance(item, PageFigure):
        facts = {"summary": item.summary, "title": item.title, "one per": item.per}
        _facts(kind, name, {**facts, "section of the page": item.section})
    else:
        _facts(kind, name, {})


def _metric_facts(metric: Metric) -> dict[str, str]:
    low, high = metric.range
    return {
        "summary": metric.summary,
        "title": metric.title,
        "better": "smaller" if metric.direction == "min" else "larger",
        "unit": metric.unit or "none",
        "range": f"{low:g} to {high:g}",
        "skill 1": {
            "attainable": f"the score of attainable; {metric.ideal:g} where it did not run",
            "ideal": f"{metric.ideal:g}" if abs(metric.ideal) < float("inf") else "no skill",
            "none": "no skill: the best value is not the best imputation's alone",
        }[metric.bound],
        "interval over cells": "no" if metric.per_cell is None else "yes",
        "needs": ", ".join(map(_offered, metric.needs)),
        "reference": metric.reference,
    }


def _offered(need: str) -> str:
    """Name what a metric needs, and the protocols that offer it where it is not every problem."""
    protocols = registry().offers().get(need, [])
    return f"{need} (offered by {', '.join(sorted(protocols))})" if protocols else need


def _imputer_facts(imputer: type[Imputer]) -> dict[str, str]:
    return {
        "citation": imputer.citation or "none",
        "version": imputer.version,
        "input scale": imputer.input_scale,
        "stochastic": "yes, seeded" if imputer.stochastic else "no",
        "devices": ", ".join(imputer.devices),
        "gives": ", ".join(imputer.gives),
        **({"asked": "only what an embedding answers"} if only_embedding(imputer.gives) else {}),
        "keeps observed values": "yes" if imputer.keeps_observed else "no",
        "control": "yes" if imputer.is_control else "no",
        "requires": ", ".join(imputer.requires) or "nothing beyond impbench",
        "packages": ", ".join(imputer.packages) or "NumPy and SciPy alone",
        **({"requires Python": imputer.requires_python} if imputer.requires_python else {}),
        **_per_batch(imputer),
        "available": "no: " + lack if (lack := _lack(imputer)) else "yes",
    }


def _per_batch(imputer: type[Imputer]) -> dict[str, str]:
    """Say how each batch is imputed alone, unless a parameter of the imputer's own is called so."""
    if PARAMETER in {parameter.name for parameter in imputer.describe()}:
        return {}
    return {"each batch alone": f"{imputer.name}[{PARAMETER}=batch], or --per batch"}


def _lack(imputer: type[Imputer]) -> str | None:
    """Say why a method cannot run here."""
    return imputer.unavailable() or unobtainable(imputer)


def _facts(kind: str, name: str, facts: dict[str, str]) -> None:
    _out.print(f"[bold]{escape(name)}[/] ({kind})")
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for key, value in facts.items():
        table.add_row(f"  {key}", escape(value))
    _out.print(table)


def _parameters(made: Parametrised) -> None:
    if not made.describe():
        _out.print("  no parameters")
        return
    values = made.parameters()
    table = plain_table("parameter", "default", "type", "")
    for parameter in made.describe():
        symbol = f" ({parameter.symbol})" if parameter.symbol else ""
        value, default = values[parameter.name], str(parameter.default)
        table.add_row(
            f"[bold]{escape(parameter.name)}[/]{symbol}",
            escape(default if value == parameter.default else f"{default}; here {value}"),
            escape(parameter.type),
            escape(parameter.help),
        )
    _out.print(table)


def print_catalogue() -> None:
    """Print the dataset catalogue."""
    from impbench.data.catalogue import listing

    rows = listing()
    table = plain_table(*rows[0]) if rows else plain_table()
    table.columns[0].no_wrap = True
    for row in rows:
        table.add_row(*(escape(str(value)) for value in row.values()))
    _out.print(table)


def print_card(name: str) -> None:
    """Print one dataset's card."""
    from impbench.data.catalogue import describe

    _facts("dataset", name, {key: str(value) for key, value in describe(name).items()})


def plain_table(*columns: str) -> Table:
    """Return an empty table with these columns."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(column)
    return table
