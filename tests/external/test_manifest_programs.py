"""Programs in any language as imputers: real manifests, real processes, real runs."""

from __future__ import annotations

import json
import textwrap
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import scipy.sparse as sp

import impbench
from impbench import registry as registry_module
from impbench.context import Context
from impbench.errors import Cancelled, InputError, UnavailableError
from impbench.external.manifest import imputer_class
from impbench.external.program import ProgramError
from impbench.imputer import Imputed, Imputer, Observed
from impbench.plan.suite import Question, Suite
from impbench.registry import load_file, registry
from impbench.results.store import Store
from impbench.runner.settings import Settings
from impbench.testing import check_imputer
from impbench.testing.example import example_counts, observe

pytestmark = pytest.mark.slow

GENE_MEANS = """
#!/bin/bash
# Draws every log value towards its gene's mean: two passes of awk over one table.
set -euo pipefail
awk -F, -v OFS=, -v weight="$3" '
    NR == FNR { if (FNR > 1) for (j = 2; j <= NF; j++) sum[j] += $j; n = FNR - 1; next }
    FNR == 1  { print; next }
    { for (j = 2; j <= NF; j++) $j = (1 - weight) * $j + weight * sum[j] / n; print }
' OFMT=%.9g CONVFMT=%.9g "$1/lognorm.csv" "$1/lognorm.csv" > "$2"
"""

MANIFEST = """
name = "{name}"
summary = "Draws every value towards its gene's mean, in awk"
citation = "unpublished"
command = {command}
format = "csv"
scale = "lognorm"
input_scale = "lognorm"
{more}
"""

WEIGHT = """
[parameters.weight]
default = 0.5
help = "Share of the gene's mean."
min = 0
max = 1
"""


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """A registry of this test's own, forgotten afterwards."""
    monkeypatch.setattr(registry_module, "_files", [])
    registry.cache_clear()
    yield
    registry.cache_clear()


def write(folder: Path, script: str, *, name: str = "awk-mean", more: str = WEIGHT) -> Path:
    """Lay out a manifest with a bash script beside it."""
    (folder / "run.sh").write_text(textwrap.dedent(script).lstrip())
    command = ["bash", "run.sh", "{input}", "{output}", *(["{weight}"] if more == WEIGHT else [])]
    path = folder / f"{name}.toml"
    path.write_text(MANIFEST.format(name=name, command=json.dumps(command), more=more))
    return path


def load(path: Path) -> Imputer:
    load_file(path)
    return registry().imputer(path.stem)


def impute(imputer: Imputer, folder: Path, observed: Observed | None = None) -> Imputed:
    context = Context(seed=3, scratch=folder / "scratch")
    (folder / "scratch").mkdir(exist_ok=True)
    imputer.prepare(context)
    return imputer.impute(observed or observe(example_counts()), context)


def test_bash_program_computes_what_its_script_says(tmp_path: Path) -> None:
    imputer = load(write(tmp_path, GENE_MEANS))
    observed = observe(example_counts())
    for weight in (0.5, 0.25):
        method = type(imputer)(weight=weight)
        values = impute(method, tmp_path, observed).expression
        mean = observed.lognorm.mean(axis=0)
        np.testing.assert_allclose(
            values, (1 - weight) * observed.lognorm + weight * mean, rtol=1e-5, atol=1e-5
        )
    assert list((tmp_path / "scratch").iterdir()) == []


def test_parameters_of_a_manifest_are_like_any_other_s(tmp_path: Path) -> None:
    load(write(tmp_path, GENE_MEANS))
    assert registry().imputer("awk-mean[weight=0.9]").parameters() == {"weight": 0.9}
    (described,) = registry().imputers["awk-mean"].describe()
    assert (described.type, described.default, described.help) == (
        "float",
        0.5,
        "Share of the gene's mean.",
    )
    with pytest.raises(InputError, match="must be at least 0 and at most 1"):
        registry().imputer("awk-mean[weight=2]")
    with pytest.raises(InputError, match="has no parameter 'wait'"):
        registry().imputer("awk-mean[wait=2]")


def test_program_from_a_manifest_passes_the_conformance_suite(tmp_path: Path) -> None:
    results = check_imputer(load(write(tmp_path, GENE_MEANS)))
    assert sum(result.verdict == "passed" for result in results) > 40


AXES = """
awk -F, -v OFS=, 'FNR == 1 { print "cell", "first", "second"; next } { print $1, $2, $3 }' \\
    "$1/lognorm.csv" > "$2"
"""


def test_program_that_gives_only_an_embedding_writes_a_column_for_each_dimension(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, AXES, name="axes", more='gives = ["embedding"]')
    path.write_text(path.read_text().replace('\nscale = "lognorm"', ""))
    observed = observe(example_counts())
    found = impute(load(path), tmp_path, observed)
    assert (found.expression, found.scale) == (None, None)
    np.testing.assert_allclose(found.embedding, observed.lognorm[:, :2], rtol=1e-5, atol=1e-5)


H5AD = """
import math
import sys
import anndata

given = anndata.read_h5ad(sys.argv[1])
assert sys.argv[3:] == ["loud", "true", "7"], sys.argv
assert given.uns["n_groups"] == 3 and given.uns["seed"] == 3
assert list(given.obs["batch"]) == ["a", "b"] * 30
log2 = math.log2(1 + given.X[0, 0] / given.obs["size_factor"].iloc[0])
assert abs(given.layers["lognorm"][0, 0] - log2) < 1e-5
print("progress 1/2")
given.layers["std"] = given.layers["lognorm"] * 0 + 0.5
given.obsm["embedding"] = given.layers["lognorm"][:, :2]
given.X = given.layers["lognorm"] + 1
print("progress 2/2")
given.write_h5ad(sys.argv[2])
"""


@pytest.mark.parametrize("sparse", [False, True])
def test_h5ad_carries_everything_that_may_be_seen_and_returned(
    tmp_path: Path, sparse: bool
) -> None:
    script = H5AD if not sparse else H5AD.replace("given.X[0, 0]", "given.X.toarray()[0, 0]")
    (tmp_path / "run.py").write_text(script)
    path = tmp_path / "plus-one.toml"
    path.write_text(
        'name = "plus-one"\nsummary = "Adds one"\nscale = "lognorm"\n'
        'command = ["{python}", "run.py", "{input}", "{output}", "{how}", "{flag}", "{steps}"]\n'
        '[parameters.how]\ndefault = "loud"\nhelp = "How."\nchoices = ["loud", "soft"]\n'
        '[parameters.flag]\ndefault = true\nhelp = "Whether."\n'
        '[parameters.steps]\ndefault = 7\nhelp = "How many."\n'
    )
    counts = example_counts()
    observed = observe(sp.csr_matrix(counts) if sparse else counts, batch=["a", "b"] * 30)
    steps = []
    context = Context(
        seed=3, scratch=tmp_path, on_progress=lambda done, total: steps.append((done, total))
    )
    imputed = load(path).impute(observed, context)
    imputed.check(observed)
    assert steps == [(1, 2), (2, 2)]
    np.testing.assert_allclose(imputed.expression, observed.lognorm + 1, rtol=1e-6)
    assert imputed.std is not None
    assert (imputed.std == 0.5).all()
    assert imputed.embedding is not None
    assert imputed.embedding.shape == (60, 2)


SUITE = Suite(
    name="tiny",
    title="tiny",
    description="",
    questions=(Question(("sim_equal[n_cells=40,n_genes=60]",), ("simulated-truth",)),),
    imputers=(),
    seeds=1,
    controls=False,
)


def run(out: Path, path: Path, **limits: float) -> dict[str, object]:
    """Run the manifest's imputer with the real runner; return its record's status and reason."""
    settings = Settings(jobs=1, threads=1, **limits)  # type: ignore[arg-type]
    impbench.run(SUITE, out, imputers=[path.stem], plugins=[path], settings=settings, report=False)
    record = next(r for r in Store(out).read().records if r.job.imputer == path.stem)
    return {"status": record.status, "reason": record.reason, "log": record.log}


def test_manifest_runs_like_any_other_method(tmp_path: Path) -> None:
    found = run(tmp_path / "out", write(tmp_path, "echo hello from bash\n" + GENE_MEANS))
    assert (found["status"], found["reason"]) == ("ok", "")
    assert "hello from bash" in str(found["log"])


def test_program_beyond_its_time_is_stopped_with_its_children(tmp_path: Path) -> None:
    mark = f"{time.time():.6f}"
    script = f"setsid sleep 98{mark} &\nsleep 99{mark}\n"
    found = run(tmp_path / "out", write(tmp_path, script), timeout=4.0)
    assert found["status"] == "timeout"
    assert "limit of 4 s" in str(found["reason"])
    deadline = time.monotonic() + 10
    while [p for p in psutil.process_iter() if mark in " ".join(_cmdline(p))]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _cmdline(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_program_beyond_its_memory_is_stopped(tmp_path: Path) -> None:
    # tail keeps the last line, and this one has no end.
    path = write(tmp_path, "tail /dev/zero\n")
    found = run(tmp_path / "out", path, memory=500 * 2**20)
    assert found["status"] == "memory"
    assert "limit of 500 MiB" in str(found["reason"])


@pytest.mark.parametrize(
    ("script", "error", "reason"),
    [
        ("echo first; echo the matrix is singular >&2; exit 3", ProgramError, "status 3;"),
        ("echo first; echo the matrix is singular >&2; exit 3", ProgramError, "is singular"),
        ("exit 3", ProgramError, "it printed nothing"),
        ("kill -SEGV $$", ProgramError, "was killed by signal 11"),
        ("echo needs 100 cells; exit 65", InputError, "refuses these data: needs 100 cells"),
        ("true", InputError, "ended well, but wrote no output.csv"),
        ("head -5 $1/counts.csv > $2", InputError, "holds 4 cells, expected 60"),
        ("cut -d, -f1-9 $1/counts.csv > $2", InputError, "holds 8 genes, expected 40"),
        (
            "(head -1 $1/counts.csv; tail -n +2 $1/counts.csv | sort -r) > $2",
            InputError,
            "cell 1 of output.csv is 'cell_9', expected 'cell_1'; keep the cells and their order",
        ),
        ("sed s/gene_2,/Gene.2,/ $1/counts.csv > $2", InputError, "gene 2 of .* is 'Gene.2'"),
        ("sed 3s/,0,/,zero,/ $1/counts.csv > $2", InputError, "expected numbers"),
        ("echo > $2", InputError, "cannot be read as csv"),
        ("head -c 3000 /dev/urandom > $2", InputError, "cannot be read as csv|expected 40"),
    ],
)
def test_failure_of_a_program_says_what_was_wrong(
    tmp_path: Path, script: str, error: type[Exception], reason: str
) -> None:
    imputer = load(write(tmp_path, script))
    with pytest.raises(error, match=reason):
        impute(imputer, tmp_path)
    assert list((tmp_path / "scratch").iterdir()) == []


def test_missing_value_is_found_where_it_stands(tmp_path: Path) -> None:
    imputer = load(write(tmp_path, "sed '4s/,[^,]*,/,NA,/' $1/counts.csv > $2"))
    observed = observe(example_counts())
    with pytest.raises(InputError, match=r"first at cell 2 \(cell_3\), gene 0 \(gene_1\)"):
        impute(imputer, tmp_path, observed).check(observed)


def test_cells_and_genes_may_have_awkward_names(tmp_path: Path) -> None:
    names = ["NA", "001", 'a "b", c', *(f"c{i}" for i in range(57))]
    observed = observe(
        example_counts(), cell_names=names, gene_names=[f"HLA-{i}" for i in range(40)]
    )
    imputer = load(write(tmp_path, "cp $1/counts.csv $2"))
    assert (impute(imputer, tmp_path, observed).expression == observed.counts).all()


def test_cancelling_stops_the_program(tmp_path: Path) -> None:
    mark = f"{time.time():.6f}"
    imputer = load(write(tmp_path, f"echo progress 1/9\nsleep 97{mark}\n"))

    def cancel(done: int, total: int) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        imputer.impute(observe(example_counts()), Context(scratch=tmp_path, on_progress=cancel))
    deadline = time.monotonic() + 10
    while [p for p in psutil.process_iter() if mark in " ".join(_cmdline(p))]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_program_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    path = write(tmp_path, GENE_MEANS)
    path.write_text(path.read_text().replace('"bash"', '"no-such-program"'))
    with pytest.raises(UnavailableError, match="there is no program 'no-such-program'"):
        load(path).prepare(Context())
    assert run(tmp_path / "out", path)["status"] == "unavailable"


def test_edited_script_is_another_version(tmp_path: Path) -> None:
    path = write(tmp_path, GENE_MEANS)
    before = imputer_class(path, __name__).version
    assert before == imputer_class(path, __name__).version
    (path.parent / "run.sh").write_text("exit 1\n")
    assert imputer_class(path, __name__).version != before


def test_number_of_groups_is_asked_for_in_words(tmp_path: Path) -> None:
    path = write(tmp_path, "cp $1/counts.csv $2\ntest $3 = 3", more="")
    path.write_text(path.read_text().replace('"{output}"]', '"{output}", "{n_groups}"]'))
    imputer = load(path)
    impute(imputer, tmp_path)
    with pytest.raises(InputError, match="needs the number of groups"):
        impute(imputer, tmp_path, observe(example_counts(), n_groups=None))


def test_braces_can_be_written(tmp_path: Path) -> None:
    path = write(tmp_path, "", more="")
    command = ["awk", "-F,", "FNR > 0 {{ print > OUT }}", "OUT={output}", "{input}/counts.csv"]
    text = MANIFEST.format(name="awk-mean", command=json.dumps(command), more="")
    path.write_text(text)
    observed = observe(example_counts())
    assert (impute(load(path), tmp_path, observed).expression == observed.counts).all()
