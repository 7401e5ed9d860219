"""What numba keeps on disk never outlives the code that it was compiled for."""

import os
import subprocess
import sys

CLASSES = "from typing import NamedTuple\n\nclass {name}(NamedTuple):\n    x: float\n"
LOOP = """
from impbench_plugins.shared.compiled import njit

@njit()
def doubled(pair):
    return 2 * pair.x
"""


def test_a_renamed_class_of_another_file_is_compiled_for_again(tmp_path):
    (tmp_path / "loop.py").write_text(LOOP)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kept"), "PYTHONPATH": "."}
    for name in ("Before", "After"):
        (tmp_path / "classes.py").write_text(CLASSES.format(name=name))
        code = f"import classes, loop; print(loop.doubled(classes.{name}(1.5)))"
        command = [sys.executable, "-B", "-c", code]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert (done.stdout, done.stderr) == ("3.0\n", "")
    assert list((tmp_path / "kept").rglob("*.nbi"))
