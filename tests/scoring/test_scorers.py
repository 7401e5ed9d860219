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


def made_for(tmp_path, patience, at_once, rounds=1):
    """Answer so many requests at once, some rounds; return how many processes that took."""
    made = []

    def make():
        made.append(Scorer(os.environ, tmp_path / "log"))
        return made[-1]

    scorers = Scorers(make, patience)
    try:
        # Each takes a second to load what it needs, so the second request finds the first busy.
        with ThreadPoolExecutor(at_once) as pool:
            for _ in range(rounds):
                assert all(pool.map(ask, [scorers] * at_once))
        number = len(made)
        assert ask(scorers)
        assert ask(scorers)
        assert len(made) == number
    finally:
        scorers.close()
    return number


def test_one_scores_in_turn_and_another_is_started_only_while_it_is_busy(tmp_path):
    assert made_for(tmp_path, patience=0.0, at_once=2) == 2


def test_none_is_started_while_waiting_takes_no_longer(tmp_path):
    assert made_for(tmp_path, patience=60.0, at_once=2) == 1


def test_waiting_adds_up(tmp_path):
    """Fifteen that wait a moment for the first have waited long together."""
    assert made_for(tmp_path, patience=3.0, at_once=16, rounds=20) > 1


def test_loading_what_metrics_need_is_not_counted_as_scoring(tmp_path):
    """It takes about a second, the answer to this request a thousandth."""
    scorer = Scorer(os.environ, tmp_path / "log")
    try:
        assert ask(scorer, timeout=0.3)
    finally:
        scorer.close()
