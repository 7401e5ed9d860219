"""What a check raises: the contract is broken, or does not apply."""

from __future__ import annotations


class Violation(Exception):
    """Raised inside a check: the imputer does not do what the contract says, and how."""


class DoesNotApply(Exception):
    """Raised inside a check: it has nothing to say about this imputer, and why."""


class NotExamined(DoesNotApply):
    """Raised inside a check: another one has found what would make this one fail too."""

    def __init__(self) -> None:
        super().__init__("not examined: the example data do not come back valid")
