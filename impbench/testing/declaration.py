"""Checks of what an imputer says about itself; nothing is imputed here."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import re

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from impbench.errors import InputError
from impbench.parameters import split_spec
from impbench.testing.check import check
from impbench.testing.subject import Subject
from impbench.testing.violation import DoesNotApply, Violation

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
SUMMARY_LENGTH = 100
"""A summary is one line of `impbench list`."""


@check(
    reason="The name is typed in `--imputers name[key=value],other` and becomes part of files.",
    remedy="Use lower-case letters, digits, '-', '_' and '.', beginning with a letter or digit.",
)
def name_is_plain(subject: Subject) -> None:
    """The name can be typed on a command line without quotes."""
    name = getattr(subject.imputer, "name", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise Violation(f"name is {name!r}")


@check(
    reason="`impbench list` and the report show one line per method.",
    remedy=f"Set `summary` to one line of at most {SUMMARY_LENGTH} characters.",
)
def summary_is_one_line(subject: Subject) -> None:
    """The summary is one short line."""
    summary = getattr(subject.imputer, "summary", None)
    if not isinstance(summary, str) or not summary.strip():
        raise Violation("there is no summary")
    if "\n" in summary or len(summary) > SUMMARY_LENGTH:
        raise Violation(f"the summary has {len(summary)} characters: {summary!r}")


@check(
    reason="Who uses a method in a paper must be able to cite it.",
    remedy="Set `citation` to authors, year and title, or to 'unpublished, NAME, URL'.",
)
def citation_is_given(subject: Subject) -> None:
    """The method says how to cite it."""
    if not str(subject.imputer.citation).strip():
        raise Violation("citation is empty")


@check(
    reason="Stored results are reused only while the version stays; it must be a text to compare.",
    remedy="Set `version` to a text such as '1' and change it whenever results change.",
)
def version_is_text(subject: Subject) -> None:
    """The version is a non-empty text."""
    version = subject.imputer.version
    if not isinstance(version, str) or not version.strip():
        raise Violation(f"version is {version!r}")


@check(
    reason="A reader of the report must know which values a method works on.",
    remedy="Set `input_scale` to 'counts' or 'lognorm'.",
)
def input_scale_is_known(subject: Subject) -> None:
    """The declared input scale is one of the two there are."""
    if subject.imputer.input_scale not in ("counts", "lognorm"):
        raise Violation(f"input_scale is {subject.imputer.input_scale!r}")


@check(
    reason="`--device auto` gives a GPU only to methods that say they can use one.",
    remedy="Set `devices` to a tuple of 'cpu' and 'cuda'; checks and default runs need 'cpu'.",
)
def devices_are_known(subject: Subject) -> None:
    """The devices are a tuple with "cpu" in it, and perhaps "cuda"."""
    devices = subject.imputer.devices
    if not isinstance(devices, tuple) or "cpu" not in devices or {*devices} - {"cpu", "cuda"}:
        raise Violation(f"devices is {devices!r}")


@check(
    reason="A mutable or half-declared object can change between runs while its results are kept.",
    remedy="Put @dataclass(frozen=True) on the class, and give every parameter a type annotation.",
)
def frozen_dataclass(subject: Subject) -> None:
    """The class is itself a frozen dataclass."""
    kind = type(subject.imputer)
    own = vars(kind).get("__dataclass_params__")
    if own is None:
        raise Violation(f"{kind.__name__} is not decorated as a dataclass")
    if not own.frozen:
        raise Violation(f"{kind.__name__} is a dataclass, but not frozen")


@check(
    reason="`impbench info` shows the parameters; one without a word is one nobody can use.",
    remedy="Declare each with `impbench.parameter(default, 'what it does', min=, max=)`.",
)
def parameters_are_described(subject: Subject) -> str | None:
    """Every parameter has a default and says what it does."""
    described = type(subject.imputer).describe()
    for parameter in described:
        if parameter.default is dataclasses.MISSING:
            raise Violation(f"parameter {parameter.name!r} has no default")
        if not parameter.help.strip():
            raise Violation(f"parameter {parameter.name!r} has no help text")
    return None if described else "has no parameters"


@check(
    reason="A misspelt value must stop the run before it starts, not three hours later.",
    remedy="If you define __post_init__, call super().__post_init__() first; raise InputError.",
)
def parameters_are_validated(subject: Subject) -> None:
    """A value of the wrong type or out of bounds is refused with an InputError."""
    kind = type(subject.imputer)
    fields = dataclasses.fields(kind)
    if not fields:
        raise DoesNotApply("has no parameters")
    for field in fields:
        wrong: list[object] = [object()]
        low, high = field.metadata.get("min"), field.metadata.get("max")
        wrong += [] if low is None else [low - 1]
        wrong += [] if high is None else [high + 1]
        for value in wrong:
            shown = "an object of no useful type" if type(value) is object else repr(value)
            try:
                kind(**{field.name: value})
            except InputError:
                continue
            except Exception as error:
                raise Violation(
                    f"{field.name} = {shown} raises {type(error).__name__}, not InputError"
                ) from error
            raise Violation(f"{field.name} = {shown} is accepted")


@check(
    reason="Results name the method by its spec; the runner rebuilds it from there.",
    remedy="Let parameters be bool, int, float, str, Literal, None or tuples of those.",
)
def spec_reads_back(subject: Subject) -> None:
    """The text that names the imputer builds an equal one."""
    imputer = subject.imputer
    name, values = split_spec(imputer.spec)
    again = type(imputer).from_text(values)
    if name != imputer.name or again.parameters() != imputer.parameters():
        raise Violation(f"{imputer.spec!r} builds {again!r}")


@check(
    reason="Executors send imputers to other processes and machines.",
    remedy="Define the class at the top of a module and keep open files and models out of it.",
)
def pickles_and_copies(subject: Subject) -> None:
    """Pickling and deep copying give an equal imputer."""
    imputer = subject.imputer
    for how, again in (
        ("pickling", pickle.loads(pickle.dumps(imputer))),
        ("deep copying", copy.deepcopy(imputer)),
    ):
        if type(again) is not type(imputer) or again.parameters() != imputer.parameters():
            raise Violation(f"{how} gives another imputer: {again!r}")


@check(
    reason="A method's environment is built from its requirements; one that cannot be read fails "
    "every job.",
    remedy='Write pip specifiers, one text each, such as requires = ("phate>=1.0",), and '
    'requires_python = ">=3.9,<3.12" where it needs that.',
)
def requirements_are_specifiers(subject: Subject) -> str | None:
    """Every declared requirement is one that pip understands."""
    requires, python = subject.imputer.requires, subject.imputer.requires_python
    if not isinstance(requires, tuple) or not all(isinstance(item, str) for item in requires):
        raise Violation(f"requires is {requires!r}, not a tuple of texts")
    for text in requires:
        try:
            Requirement(text)
        except InvalidRequirement as error:
            raise Violation(f"{text!r} is not a requirement: {error}") from error
    try:
        SpecifierSet(python)
    except InvalidSpecifier as error:
        raise Violation(f"requires_python {python!r} is no version specifier") from error
    return None if requires or python else "needs nothing beyond impbench"
