"""The oracle: the control that is handed the truth, and so can only live in the scoring process."""

from __future__ import annotations

ORACLE = "oracle"
SUMMARY = "The truth itself: the best score that is possible. Only where a dataset has truth."
VERSION = "1"
