"""An answer holds every part that its method declares, also if a stranger wrote it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from impbench.worker.answer import AnswerError, read_answer


def answer(folder: Path, scale: Any = "lognorm", **parts: Any) -> Path:
    """Write what a worker would; `parts` by name."""
    place = folder / "seed-1"
    place.mkdir()
    for name, array in parts.items():
        np.save(place / f"{name}.npy", np.asarray(array, dtype=np.float32))
    (place / "imputed.json").write_text(json.dumps({"scale": scale, "info": {}}))
    (folder / "done.json").write_text(json.dumps({"versions": {}}))
    return folder


MATRIX = np.ones((3, 2))


def test_an_embedding_alone_is_an_answer_of_who_declares_nothing_else(tmp_path: Path) -> None:
    folder = answer(tmp_path, scale=None, embedding=MATRIX)
    read_answer(folder, [1], ("embedding",))
    with pytest.raises(AnswerError, match="lacks its scale"):
        read_answer(folder, [1], ("expression",))


@pytest.mark.parametrize("lacking", ["expression", "embedding", "std"])
def test_a_part_that_is_declared_and_not_there_is_no_answer(tmp_path: Path, lacking: str) -> None:
    parts = {name: MATRIX for name in ("expression", "embedding", "std") if name != lacking}
    folder = answer(tmp_path, **parts)
    read_answer(folder, [1], tuple(parts))
    with pytest.raises(AnswerError, match=f"there is no seed-1/{lacking}.npy"):
        read_answer(folder, [1], (*parts, lacking))


def test_an_expression_without_a_scale_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(AnswerError, match="lacks its scale"):
        read_answer(answer(tmp_path, scale=None, expression=MATRIX), [1], ("expression",))
