"""The scoring processes of one machine: as many as imputations are ever scored at once."""

from __future__ import annotations

from collections.abc import Callable

from impbench.scoring.score import ScoreReply, ScoreRequest
from impbench.scoring.scorer import Scorer


class Scorers:
    """Scores with a process that is free; starts one more where none is.

    Scoring is mostly much shorter than imputing, and a process takes a second of CPU time to load
    what metrics need: for small runs one is enough, however many jobs run at once.
    """

    def __init__(self, make: Callable[[], Scorer]) -> None:
        self._make = make
        self._all = [make()]
        self._free = list(self._all)

    def start(self) -> None:
        """Start the first process, which then loads what metrics need."""
        self._all[0].start()

    def score(self, request: ScoreRequest, timeout: float | None = None) -> ScoreReply:
        """Have one imputation scored, from any thread; see `Scorer.score`."""
        try:
            scorer = self._free.pop()
        except IndexError:
            scorer = self._make()
            self._all.append(scorer)
        try:
            return scorer.score(request, timeout)
        finally:
            self._free.append(scorer)

    def close(self) -> None:
        """End all of them, once nothing is scored any more."""
        for scorer in self._all:
            scorer.close()
