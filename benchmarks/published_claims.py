"""Hold claims of the five seed papers against the records of a leaderboard.

    python benchmarks/published_claims.py reports/leaderboard/leaderboard

Each claim names the method, its rivals in the paper that were run, a protocol and a metric. It
holds where the method is ahead of all these rivals on more than half of the data sets, and in part
where its mean rank among them is in the better half. A failed imputation counts as the worst.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from impbench.report.analysis.run import Run, make_run
from impbench.report.analysis.tables import summarise
from impbench.results.store import Store

MASKCLASS = ("autoclass", "ccimpute-bioc", "dca", "magic", "saver", "scimpute")
AUTOIMPUTE = ("drimpute", "magic", "scimpute")
CNNIMPUTE = (
    "alra", "baynorm", "dca", "deepimpute", "drimpute", "magic", "saver", "scimpute", "scvi",
    "sdimpute",
)  # fmt: skip
SCMAE = ("clear", "contrastive-sc", "graph-sc", "scgnn", "scname", "scvi", "scvi-ld")
NOTHING = ("no-imputation",)
RAW = "maskclass-best[keep_observed=false]"
"""The network's output, which the paper clusters (as our suite maskclass-paper does)."""


@dataclass(frozen=True)
class Claim:
    """What a paper says, in our words; `scope` is simulated or real, empty for both."""

    paper: str
    text: str
    method: str
    rivals: Sequence[str]
    protocol: str
    metric: str
    scope: str = ""


CLAIMS = (
    Claim("MaskClass", "lowest error on simulated cells", "maskclass-best", MASKCLASS,
          "simulated-truth", "mse", "simulated"),
    Claim("MaskClass", "its regulariser lowers the error on biological zeros", "maskclass-balanced",
          ("maskclass-best",), "simulated-truth", "biozero-mse", "simulated"),
    Claim("MaskClass", "clusters real cells better than its rivals", RAW, MASKCLASS,
          "clustering", "ari", "real"),
    Claim("MaskClass", "clusters real cells better than raw data do", RAW, NOTHING,
          "clustering", "ari", "real"),
    Claim("AutoImpute", "lowest RMSE on masked entries", "autoimpute", AUTOIMPUTE,
          "masking", "masked-rmse", "real"),
    Claim("AutoImpute", "its ARI is always above that of raw data", "autoimpute", NOTHING,
          "clustering", "ari", "real"),
    Claim("cnnImpute", "lowest MSE on masked entries", "cnnimpute", CNNIMPUTE,
          "masking", "masked-mse", "real"),
    Claim("cnnImpute", "highest correlation on masked entries", "cnnimpute", CNNIMPUTE,
          "masking", "masked-pearson", "real"),
    Claim("cnnImpute", "MAGIC is no better on masked entries", "cnnimpute", ("magic",),
          "masking", "masked-mse", "real"),
    Claim("scMAE", "highest ARI of embeddings", "scmae", SCMAE,
          "clustering[source=embedding]", "ari", "real"),
    Claim("scMAE", "its embedding clusters better than principal components", "scmae", ("pca",),
          "clustering[source=embedding]", "ari", "real"),
)  # fmt: skip


def main(folder: Path) -> None:
    """Print one row per claim."""
    run = make_run(Store.open(folder).read())
    summary = summarise(run)
    print("| paper | claim | rivals run | data sets | ahead of all on | mean rank | |")
    print("|---|---|---:|---:|---:|---:|---|")
    for claim in CLAIMS:
        print(row(claim, run, summary))


def row(claim: Claim, run: Run, summary: pd.DataFrame) -> str:
    """Return a claim's row."""
    asked = summary["protocol"].eq(claim.protocol) & summary["metric"].eq(claim.metric)
    rows = summary[asked & summary["imputer"].isin([claim.method, *claim.rivals])]
    if claim.scope:
        rows = rows[rows["dataset"].map(run.scope) == claim.scope]
    loss = rows["counted"] * run.metrics[claim.metric].direction if len(rows) else rows["counted"]
    table = rows.assign(loss=loss).pivot(index="dataset", columns="imputer", values="loss")
    start = f"| {claim.paper} | {claim.text} "
    if claim.method not in table:
        return f"{start}| | 0 | | | not asked yet |"
    # Only data sets of which the method and a rival were asked.
    table = table[table[claim.method].notna()].dropna(axis=1, how="all").dropna(thresh=2)
    rivals = [name for name in table.columns if name != claim.method]
    others = table[rivals].min(axis=1)
    ahead, n = int((table[claim.method] < others).sum()), len(table)
    rank = table.rank(axis=1)[claim.method].mean()
    if n and ahead > n / 2:
        said = "holds"
    else:
        said = "in part" if rank <= (1 + len(rivals)) / 2 and len(rivals) > 1 else "does not hold"
    return f"{start}| {len(rivals)} | {n} | {ahead} | {rank:.1f} of {1 + len(rivals)} | {said} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    main(parser.parse_args().run)
