"""The second way into R's files: let R compute what only R can, where R is installed.

R then reads the very file and writes it anew, its assays as matrices that are read here. Nothing
of the file is evaluated on the way: an object whose values R would compute by functions that lie
in the file itself is refused before R starts, as is a promise, which R before 4.4 evaluates as
soon as it is looked at (CVE-2024-27322).
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impbench.data.r_files.objects import attributes, strings
from impbench.errors import InputError
from impbench.external.r.packages import ENVIRONMENT, RPackage, r_program

SECONDS = 1800
"""After which R is ended."""

CODE = frozenset(["CLO", "PROM", "LANG", "BCODE", "SPECIAL", "BUILTIN", "EXPR", "DOT"])
"""Kinds of object that R may evaluate, as rdata calls them."""

LOOKED_AT = ("colData", "elementMetadata", "rowRanges", "NAMES")
"""Slots of a SummarizedExperiment that `_SCRIPT` makes R look at besides its assays."""

_SCRIPT = """
file <- Sys.getenv("IMPBENCH_FILE")
words <- function(name) strsplit(Sys.getenv(name), " ")[[1L]]
for (name in words("IMPBENCH_PACKAGES")) suppressMessages(loadNamespace(name))
plain <- function(m) {
  if (length(dim(m)) != 2L) stop("it has ", length(dim(m)), " dimensions")
  tryCatch(
    methods::as(methods::as(methods::as(m, "dMatrix"), "generalMatrix"), "CsparseMatrix"),
    error = function(e) tryCatch(methods::as(m, "dgCMatrix"), error = function(e) as.matrix(m))
  )
}
x <- readRDS(file)
# saveHDF5SummarizedExperiment names the file beside it by its name alone.
setwd(dirname(file))
if (methods::is(x, "eSet")) x <- methods::as(x, "SummarizedExperiment")
if (methods::is(x, "SummarizedExperiment")) {
  found <- as.list(SummarizedExperiment::assays(x, withDimnames = FALSE))
  found <- found[as.integer(words("IMPBENCH_ASSAYS"))]
  tried <- lapply(found, function(m) tryCatch(plain(m), error = conditionMessage))
  failed <- vapply(tried, is.character, NA)
  if (all(failed)) stop(tried[[1L]])
  SummarizedExperiment::assays(x, withDimnames = FALSE) <- tried[!failed]
  x@metadata <- list()
} else x <- plain(x)
saveRDS(x, Sys.getenv("IMPBENCH_PLAIN"), version = 2, compress = FALSE)
"""


def rewrite(path: Path, item: Any, assays: Mapping[str, Any]) -> bytes:
    """Let R write the object in a file with matrices of R's packages base and Matrix.

    Parameters
    ----------
    path
        An rds file.
    item
        What is in it, as `impbench.data.r_files.parser.parse_r` gives it.
    assays
        Its assays, in their order; for a matrix itself.

    Returns
    -------
    The content of an rds file, without the assays that R cannot turn, or must not.

    Raises
    ------
    InputError
        Says, as the end of a sentence, why R cannot be asked, or what it answered.
    """
    slots = attributes(item)
    needs = _needs([slots[name] for name in LOOKED_AT if name in slots])
    each = [_needs([assay]) for assay in assays.values()]
    sound = [i for i, assay in enumerate(each) if not (assay.code or needs.code)]
    if not sound:
        raise InputError(
            "R computes its values by functions that lie in the file, and impbench lets nothing of "
            'a file be run; in R, where you trust it: assay(x, "counts") <- as.matrix(assay(x, '
            '"counts")); saveRDS(x, file)'
        )
    program = r_program()
    if program is None:
        raise InputError(
            "R could read it: impbench asks R where it is installed (Debian: apt install r-base "
            "r-bioc-singlecellexperiment)"
        )
    packages = needs.packages.union(*(each[i].packages for i in sound))
    if {"assays", "assayData"} & slots.keys():
        packages.add("SummarizedExperiment")
    lacking = [name for name in sorted(packages) if RPackage(name).version() is None]
    if lacking:
        installs = RPackage(lacking[0], "Bioconductor").install
        raise InputError(f"R could read it, but has no package {', '.join(lacking)}: {installs}")
    return _asked(program, path, sorted(packages), [str(i + 1) for i in sound])


def _asked(program: str, path: Path, packages: list[str], assays: list[str]) -> bytes:
    with tempfile.TemporaryDirectory(prefix="impbench-") as scratch:
        written = Path(scratch) / "plain.rds"
        (Path(scratch) / "rewrite.R").write_text(_SCRIPT, encoding="utf-8")
        try:
            answer = subprocess.run(
                [program, "--no-echo", "--no-restore", "--no-save", "-f", "rewrite.R"],
                cwd=scratch,
                env={
                    **os.environ,
                    **ENVIRONMENT,
                    "TMPDIR": scratch,
                    "IMPBENCH_FILE": str(path.absolute()),
                    "IMPBENCH_PLAIN": str(written),
                    "IMPBENCH_PACKAGES": " ".join(packages),
                    "IMPBENCH_ASSAYS": " ".join(assays),
                },
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise InputError(f"R was asked and had not read it after {SECONDS} s") from None
        if answer.returncode or not written.exists():
            said = " ".join(answer.stderr.decode("utf-8", "replace").split())
            error = said[max(0, said.rfind("Error")) :].removesuffix(" Execution halted")
            raise InputError(f"R was asked and cannot read it either: {error[:300]}")
        return written.read_bytes()


@dataclass
class _Needs:
    code: bool
    packages: set[str]


def _needs(parts: list[Any]) -> _Needs:
    """What R would have to run, and the packages whose classes the objects are of."""
    found = _Needs(False, set())
    for item in _inside(parts):
        found.code |= item.info.type.name in CODE
        named = attributes(item).get("class") if item.attributes is not None else None
        package = attributes(named).get("package") if named is not None else None
        if package is not None:
            names = [str(name) for name in strings(package)]
            # Others than R's own, which are always there.
            found.packages |= {n for n in names if re.fullmatch(r"[A-Za-z][A-Za-z0-9.]+", n)}
    found.packages -= {"methods", "base", "stats"}
    return found


def _inside(parts: list[Any]) -> Iterator[Any]:
    """Every object in these, once."""
    waiting, seen = list(parts), set()
    while waiting:
        item = waiting.pop()
        if isinstance(item, list | tuple):
            waiting += [part for part in item if part is not None]
        elif hasattr(item, "enclosure"):
            waiting += [item.enclosure, item.frame, item.hash_table]
        elif hasattr(item, "info") and id(item) not in seen:
            seen.add(id(item))
            yield item
            waiting += [item.attributes, item.tag, item.value, item.referenced_object]
