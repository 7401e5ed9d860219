"""What a check raises: the contract is broken, or does not apply."""

from __future__ import annotations


class Violation(Exception):
    """Raised inside a check: the imputer does not do what the contract says, and how."""


class DoesNotApply(Exception):
    """Raised inside a check: it has nothing to say about this imputer, and why."""
