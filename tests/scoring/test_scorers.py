"""How many scoring processes there are, and what their time limit counts."""

import os
from concurrent.futures import ThreadPoolExecutor

from impbench.scoring.score import ScoreRequest
from impbench.scoring.scorer import Scorer, ScoringError
from impbench.scoring.scorers import Scorers

NOWHERE = ScoreRequest("/nowhere", 0, None, {}, "masking", (), 1, {}, None, "oracle")


def ask(scorers, timeout=None):
    try:
        scorers.score(NOWHERE, timeout)
    except ScoringError as error:
        return "/nowhere" in str(error)


def test_one_scores_in_turn_and_another_is_started_only_while_it_is_busy(tmp_path):
    made = []

    def make():
        made.append(Scorer(os.environ, tmp_path / "log"))
        return made[-1]

    scorers = Scorers(make)
    try:
        # Each takes a second to load what it needs, so the second request finds the first busy.
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(ask, [scorers, scorers])) == [True, True]
        assert len(made) == 2
        assert ask(scorers)
        assert ask(scorers)
        assert len(made) == 2
    finally:
        scorers.close()


def test_loading_what_metrics_need_is_not_counted_as_scoring(tmp_path):
    """It takes about a second, the answer to this request a thousandth."""
    scorer = Scorer(os.environ, tmp_path / "log")
    try:
        assert ask(scorer, timeout=0.3)
    finally:
        scorer.close()
