"""The report: one page that says what was run, what came out, and how far to believe it."""

from impbench.report.page.boards import leaderboard, terminal_batches, terminal_leaderboard
from impbench.report.page.page import write_report

__all__ = ["leaderboard", "terminal_batches", "terminal_leaderboard", "write_report"]
