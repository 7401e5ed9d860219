"""The report: one page that says what was run, what came out, and how far to believe it."""

from impbench.report.page.boards import leaderboard, terminal_report
from impbench.report.page.index import write_index
from impbench.report.page.page import write_report

__all__ = ["leaderboard", "terminal_report", "write_index", "write_report"]
