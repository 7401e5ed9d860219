"""How genes are called, which stand twice, and which are no genes."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

import pandas as pd

from impbench.data.names import is_numbered

STYLES = {
    "numbers": r"\d+",
    "Ensembl identifiers with versions": r"ENS[A-Z]{0,4}G\d{6,}\.\d+",
    "Ensembl identifiers": r"ENS[A-Z]{0,4}G\d{6,}",
    "FlyBase identifiers": r"FBgn\d{7}",
    "WormBase identifiers": r"WBGene\d{8}",
    "Arabidopsis identifiers": r"AT[1-5CM]G\d{5}",
    "symbols joined to identifiers": r".+[_|]ENS[A-Z]{0,4}G\d{6,}(\.\d+)?|ENS\w+G\d{6,}[_|].+",
    "barcodes": r"[ACGT]{12,}([-_.]\w+)?",
    "symbols as of human": r"[A-Z][A-Z0-9]*(orf\d+)?([-.][A-Z0-9]+)*",
    "symbols as of mouse": r"[A-Z][a-z0-9]+\w*([-.]\w+)*|\d+\w+Rik|mt-\w+",
}
"""Tried in this order."""

SPECIES = {"ENSG": "human", "ENSMUSG": "mouse", "ENSRNOG": "rat", "ENSDARG": "zebrafish"}
SPIKE_IN = re.compile(r"(ERCC|SIRV|RGC)[-_.]?\d{3,}", re.IGNORECASE)
MITOCHONDRIAL = re.compile(r"(GRCh38_+|hg\d+_|mm\d+_+)?mt[-.:]\w+", re.IGNORECASE)
FEATURE_COLUMNS = ("feature_types", "feature_type", "featuretype")
GENE_FEATURES = frozenset(["gene expression", "gene", "rna"])


@dataclass(frozen=True)
class GeneFacts:
    """Facts about the names of genes."""

    style: str
    """What most of them are."""
    repeated: tuple[str, ...]
    """Names that stand more than once, most often first."""
    spike_ins: int
    """How many are called so."""
    mitochondrial: int
    """How many are called so."""
    feature_types: dict[str, int]
    """How many of each type, where the file says so."""

    @property
    def other_features(self) -> dict[str, int]:
        """Features that are no genes, where the file says so."""
        genes = {name for name in self.feature_types if name.lower() in GENE_FEATURES}
        return {k: v for k, v in self.feature_types.items() if genes and k not in genes}


def look_at_genes(genes: pd.DataFrame) -> GeneFacts:
    """Take the facts from a table with a row per gene."""
    names = [str(name) for name in genes.index]
    counted = Counter(names)
    return GeneFacts(
        style=style(names),
        repeated=tuple(name for name, number in counted.most_common() if number > 1),
        spike_ins=sum(bool(SPIKE_IN.fullmatch(name)) for name in names),
        mitochondrial=sum(bool(MITOCHONDRIAL.fullmatch(name)) for name in names),
        feature_types=_features(genes),
    )


def style(names: list[str]) -> str:
    """Say what most names are."""
    if is_numbered(names):
        return "no names: 0, 1, 2, …"
    step = max(1, len(names) // 5000)
    some = names[::step]
    for called, pattern in STYLES.items():
        matcher = re.compile(pattern)
        matching = [name for name in some if matcher.fullmatch(name)]
        if 2 * len(matching) > len(some):
            return called + _species(matching)
    return "of no style known here"


def _species(names: list[str]) -> str:
    prefix = re.match(r"ENS[A-Z]*G", names[0])
    species = SPECIES.get(prefix.group()) if prefix else None
    return f" of {species}" if species else ""


def _features(genes: pd.DataFrame) -> dict[str, int]:
    for column in genes.columns:
        if str(column).lower() in FEATURE_COLUMNS:
            found = genes[column].astype(str).value_counts()
            return {str(name): int(number) for name, number in found.items() if number}
    return {}
