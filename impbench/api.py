"""What Python users call: `get_imputer` and `run`; others are where `impbench.__init__` says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impbench.data.counts import Scale
from impbench.data.dataset import Source
from impbench.data.genes import HvgMethod
from impbench.data.prepare import HVG
from impbench.data.read import InMemory, in_memory
from impbench.errors import InputError
from impbench.imputer import Imputer
from impbench.parameters import split_spec
from impbench.per_batch import Company
from impbench.plan.plan import Plan, make_plan
from impbench.plan.separation import Answering
from impbench.plan.suite import Suite, read_suite
from impbench.registry import load_file, registry
from impbench.runner.executor import Executor
from impbench.runner.outcome import Results
from impbench.runner.run import RunRequest, run_plan
from impbench.runner.secret import Secret
from impbench.runner.settings import Listener, Settings

if TYPE_CHECKING:
    from anndata import AnnData


def get_imputer(spec: str) -> Imputer:
    """Return the imputer that a text such as ``"magic[t=5,knn=10]"`` names.

    Its plugin is imported in this process.

    Raises
    ------
    NotFoundError
        If there is no such imputer; says which names come near.
    InputError
        If a parameter does not exist or a value does not fit.
    """
    return registry().real_imputer(spec)


def run(
    suite: str | Path | Suite | AnnData = "default",
    out: str | Path | None = None,
    *,
    label_key: str | None = None,
    batch_key: str | None = None,
    layer: str | None = None,
    scale: Scale = "auto",
    drop_labels: Sequence[str] = (),
    genes: int = HVG,
    hvg: HvgMethod = "scran",
    imputers: Sequence[str] | None = None,
    datasets: Sequence[str | Source] | None = None,
    protocols: Sequence[str] | None = None,
    seeds: int | Sequence[int] | None = None,
    metrics: Sequence[str] = (),
    per: Company = "all",
    plugins: Sequence[str | Path] = (),
    executor: str | Executor = "local",
    settings: Settings | None = None,
    listener: Listener | None = None,
    report: bool = True,
    png: bool = False,
    command: str | None = None,
    secret: Secret | None = None,
) -> Results:
    """Put imputers head to head and write a report.

    ``impbench.run(adata, label_key="cell_type").table()`` is all it takes for one's own data.

    Parameters
    ----------
    suite
        Your own data, cells × genes, which is asked what the default suite asks of such; or the
        name of a suite, the path of a suite file, or a `Suite`.
    out
        Folder for records and report, default ``reports/NAME``, for an AnnData ``reports/adata``.
        What is done there already and still holds is not done again.
    label_key, batch_key
        Of an AnnData: columns of ``obs`` with cell types and batches.
    layer
        Of an AnnData, where the counts are: a layer, ``X`` or ``raw.X``. None: the first of
        ``layers["counts"]``, ``raw.X`` and ``X`` that holds raw counts.
    scale
        Of an AnnData, what the values are, see `impbench.data.counts.Scale`.
    drop_labels
        Of an AnnData: labels that stand for no cell type, such as ``unknown``; their cells are
        left out.
    genes, hvg
        Of an AnnData, how many highly variable genes are kept (0 keeps all), and how they are
        chosen, see `impbench.data.genes.highly_variable`.
    imputers, datasets, protocols
        Replace the suite's; specs such as ``"magic[t=5]"``. Controls always run besides.
    seeds
        How many repeats (seeds 1, 2, …), or the seeds themselves.
    metrics
        Scored besides the protocols' own, wherever a question has what they need.
    per
        ``batch``: each imputer runs on all cells together, and on each batch alone.
    plugins
        Single-file plugins to load first.
    executor
        Where jobs run: a spec such as ``"dask[scheduler=tcp://10.0.0.1:8786]"``, or an `Executor`.
    settings
        Parallelism, limits and device; what it leaves open the executor fills in.
    report, png
        Whether to write the page, and its figures as PNG beside SVG.
    secret
        Draw simulations and masks from it, ``Secret.draw()`` for a new one, so that no method can
        know them; the manifest tells it at the end.

    Returns
    -------
    `Results`: ``answers`` says what to do, ``table()`` and ``plot()`` compare the imputers,
    ``scores`` is the score of every seed, ``report`` the page.

    Raises
    ------
    NotFoundError, InputError
        If a name or value does not exist or fit, before anything runs.
    NotApartError
        If a plugin brings both an imputer and what asks or carries out the run.
    """
    for plugin in plugins:
        load_file(Path(plugin))
    chosen = {
        "label_key": label_key,
        "batch_key": batch_key,
        "layer": layer,
        "scale": scale,
        "drop_labels": tuple(drop_labels),
        "genes": genes,
        "hvg": hvg,
    }
    told = _own_choices(chosen)
    name = ""
    if not isinstance(suite, str | Path | Suite):
        datasets = [in_memory(suite, **told), *(datasets or ())]
        suite, name = "default", InMemory.name
    elif told:
        raise InputError(f"{', '.join(told)}: only where an AnnData is the first argument")
    suite = suite if isinstance(suite, Suite) else find_suite(suite)
    jobs = plan(
        suite,
        imputers=imputers,
        datasets=datasets,
        protocols=protocols,
        seeds=seeds,
        metrics=metrics,
        per=per,
    )
    settings = settings or Settings()
    if settings.timeout is None:
        settings = replace(settings, timeout=suite.timeout)
    folder = Path(out) if out is not None else Path("reports") / (name or suite.name)
    given = "".join(f", {key}={value!r}" for key, value in {"out": str(folder), **told}.items())
    text = command if command is not None else f"impbench.run({name or repr(suite.name)}{given})"
    where = find_executor(executor, jobs.answering)
    request = RunRequest(jobs, folder.resolve(), registry(), where, settings, secret, text)
    return run_plan(request, listener, report, png)


def _own_choices(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return what differs from the default."""
    usual = InMemory().parameters()
    return {key: value for key, value in chosen.items() if value != usual[key]}


def job_script(executor: str | Executor, settings: Settings | None = None) -> str:
    """Return the script of one batch job that `run` would submit; submit none.

    Raises
    ------
    InputError, UnavailableError
        If this executor submits none, or something does not fit or is not installed.
    """
    where = find_executor(executor)
    return where.job_script(where.settle(settings or Settings()).threads or 1)


def plan(
    suite: str | Path | Suite = "default",
    *,
    imputers: Sequence[str] | None = None,
    datasets: Sequence[str | Source] | None = None,
    protocols: Sequence[str] | None = None,
    seeds: int | Sequence[int] | None = None,
    metrics: Sequence[str] = (),
    per: Company = "all",
) -> Plan:
    """Resolve every name as `run` does, but run nothing; parameters and errors as there."""
    chosen = range(1, seeds + 1) if isinstance(seeds, int) else seeds
    return make_plan(
        suite if isinstance(suite, Suite) else find_suite(suite),
        registry(),
        imputers=imputers,
        sources=datasets,
        protocols=protocols,
        seeds=None if chosen is None else tuple(chosen),
        metrics=metrics,
        per=per,
    )


def find_suite(name: str | Path) -> Suite:
    """Read the suite of that name, or the suite file at that path.

    Raises
    ------
    NotFoundError, InputError
        If there is none, or the file is malformed.
    """
    path = Path(name)
    if path.suffix == ".toml" or path.is_file():
        return read_suite(path)
    return read_suite(registry().suite(str(name)))


def find_executor(executor: str | Executor, answering: Answering | None = None) -> Executor:
    """Return the executor that a text such as ``"dask[scheduler=tcp://10.0.0.1:8786]"`` names.

    Parameters
    ----------
    executor
        Its spec, or itself.
    answering
        The strangers whose imputers take part in the run.

    Raises
    ------
    NotFoundError
        If there is none of that name; says which names come near.
    InputError
        If a parameter does not exist or fit, or the plugin's class is no `Executor`.
    NotApartError
        If one of `answering` brings it.
    """
    answering = answering or Answering()
    if isinstance(executor, Executor):
        answering.check_made("executor", executor)
        return executor
    answering.check(registry(), [("executor", split_spec(executor)[0])])
    with answering.kept_out():
        found = registry().executor(executor)
    if not isinstance(found, Executor):
        raise InputError(
            f"the executor {executor!r} is no subclass of {Executor.__module__}.Executor"
        )
    return found
