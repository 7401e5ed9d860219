"""Draw report.png: the head of the page that a run on real cells writes.

    python docs/images/report.py

Two and a half minutes on two busy cores; needs Chromium. The cells are the 700 of peripheral blood
that scanpy brings with it, as a user would have them: counts in X, cell types in a column.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import anndata
import pandas as pd

from impbench.registry import registry

WIDTH, HEIGHT = 1100, 1190
"""Pixels: from the heading to the command that imputes."""


def main() -> None:
    """Run, and photograph."""
    blood = registry().dataset("pbmc68k-reduced[genes=0]").load()
    cells = pd.DataFrame({"cell_type": blood.labels}, index=list(blood.cell_names))
    genes = pd.DataFrame(index=list(blood.gene_names))
    impbench = str(Path(sys.executable).with_name("impbench"))
    with tempfile.TemporaryDirectory() as folder:
        anndata.AnnData(blood.counts, cells, genes).write_h5ad(Path(folder) / "pbmc.h5ad")
        command = [impbench, "run", "--data", "pbmc.h5ad", "--label-key", "cell_type"]
        subprocess.run([*command, "--seeds", "5", "--out", "report"], cwd=folder, check=True)
        subprocess.run(
            [
                "chromium",
                "--headless",
                "--no-sandbox",
                "--hide-scrollbars",
                f"--window-size={WIDTH},{HEIGHT}",
                f"--screenshot={Path(__file__).with_suffix('.png').resolve()}",
                f"file://{folder}/report/report.html",
            ],
            check=True,
        )


if __name__ == "__main__":
    main()
