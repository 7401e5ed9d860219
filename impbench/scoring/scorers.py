"""The scoring processes of one machine: as few as hold nobody up for long."""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import Empty, LifoQueue

from impbench.scoring.score import ScoreReply, ScoreRequest
from impbench.scoring.scorer import Scorer

STARTING = 1.5
"""Seconds of CPU time that a scoring process takes to load what metrics need."""


class Scorers:
    """Scores with a process that is free; starts one more where waiting would cost as much.

    Scoring is mostly much shorter than imputing: for small runs one is enough, however many jobs
    run at once. Once imputations have waited, all together, as long as starting another one takes,
    it is started.

    Parameters
    ----------
    patience
        Seconds of waiting, all together, before another one is started.
    """

    def __init__(self, make: Callable[[], Scorer], patience: float = STARTING) -> None:
        self._make = make
        self._patience = patience
        self._waited = 0.0
        self._all = [make()]
        self._free: LifoQueue[Scorer] = LifoQueue()
        self._free.put(self._all[0])

    def start(self) -> None:
        """Start the first process, which then loads what metrics need."""
        self._all[0].start()

    def score(self, request: ScoreRequest, timeout: float | None = None) -> ScoreReply:
        """Have one imputation scored, from any thread; see `Scorer.score`."""
        scorer = self._lend()
        try:
            return scorer.score(request, timeout)
        finally:
            self._free.put(scorer)

    def close(self) -> None:
        """End all of them, once nothing is scored any more."""
        for scorer in self._all:
            scorer.close()

    def _lend(self) -> Scorer:
        asked = time.monotonic()
        try:
            scorer = self._free.get(timeout=max(0.0, self._patience - self._waited))
        except Empty:
            self._waited = 0.0
            self._all.append(self._make())
            return self._all[-1]
        self._waited += time.monotonic() - asked
        return scorer
