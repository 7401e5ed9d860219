"""Imputers that say something wrong about themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from violators.good import Good

from impbench import Imputer


@dataclass(frozen=True)
class NameIsPlain(Good):
    name = "My Method"


@dataclass(frozen=True)
class SummaryIsOneLine(Good):
    summary = "First line\nsecond line"


@dataclass(frozen=True)
class CitationIsGiven(Good):
    citation = ""


@dataclass(frozen=True)
class VersionIsText(Good):
    version: ClassVar[Any] = 2


@dataclass(frozen=True)
class InputScaleIsKnown(Good):
    input_scale: ClassVar[Any] = "log"


@dataclass(frozen=True)
class DevicesAreKnown(Good):
    devices: ClassVar[Any] = ["cpu"]


class FrozenDataclass(Good):
    pass


@dataclass(frozen=True)
class ParametersAreDescribed(Good):
    depth: int = 3


@dataclass(frozen=True)
class ParametersAreValidated(Good):
    def __post_init__(self) -> None:
        pass


@dataclass(frozen=True)
class SpecReadsBack(Good):
    @property
    def spec(self) -> str:
        return f"{self.name}[w={self.weight}]"


def _local_class() -> type[Imputer]:
    @dataclass(frozen=True)
    class PicklesAndCopies(Good):
        pass

    return PicklesAndCopies


PicklesAndCopiesNot = _local_class()


@dataclass(frozen=True)
class RequirementsAreSpecifiers(Good):
    requires = ("numpy=>1.26",)
