"""What Python users call: `get_imputer`, `impute`, `run` and `simulate`."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impbench.data.dataset import Source
from impbench.errors import InputError, UnavailableError
from impbench.imputer import Context, Imputer
from impbench.parameters import split_spec
from impbench.plan.plan import Plan, make_plan
from impbench.plan.separation import Answering
from impbench.plan.suite import Suite, read_suite
from impbench.registry import load_file, registry
from impbench.runner.executor import Executor
from impbench.runner.run import Results, RunRequest, run_plan
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
    suite: str | Path | Suite = "default",
    out: str | Path | None = None,
    *,
    imputers: Sequence[str] | None = None,
    datasets: Sequence[str | Source] | None = None,
    protocols: Sequence[str] | None = None,
    seeds: int | Sequence[int] | None = None,
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

    Parameters
    ----------
    suite
        Name of a suite, path of a suite file, or a `Suite`.
    out
        Folder for records and report, default ``reports/NAME``. What is done there already and
        still holds is not done again.
    imputers, datasets, protocols
        Replace the suite's; specs such as ``"magic[t=5]"``. Controls always run besides.
    seeds
        How many repeats (seeds 1, 2, …), or the seeds themselves.
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
    `Results`, whose ``scores`` is a tidy table.

    Raises
    ------
    NotFoundError, InputError
        If a name or value does not exist or fit, before anything runs.
    NotApartError
        If a plugin brings both an imputer and what asks or carries out the run.
    """
    for plugin in plugins:
        load_file(Path(plugin))
    suite = suite if isinstance(suite, Suite) else find_suite(suite)
    jobs = plan(suite, imputers=imputers, datasets=datasets, protocols=protocols, seeds=seeds)
    settings = settings or Settings()
    if settings.timeout is None:
        settings = replace(settings, timeout=suite.timeout)
    folder = Path(out) if out is not None else Path("reports") / suite.name
    text = command if command is not None else f"impbench.run({suite.name!r}, out={str(folder)!r})"
    where = find_executor(executor, jobs.answering)
    request = RunRequest(jobs, folder.resolve(), registry(), where, settings, secret, text)
    return run_plan(request, listener, report, png)


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


def simulate(name: str, n_cells: int = 1000, seed: int = 42, **parameters: Any) -> AnnData:
    """Simulate one of the paper's scenarios; see `impbench.data.simulate.simulate`."""
    from impbench.data.simulate import simulate as draw

    return draw(name, n_cells=n_cells, seed=seed, **parameters)


def impute(
    adata: AnnData,
    imputer: str | Imputer,
    *,
    layer: str | None = None,
    key_added: str = "imputed",
    batch_key: str | None = None,
    n_groups: int | None = None,
    seed: int = 1,
    device: str = "cpu",
    threads: int = 1,
    copy: bool = False,
) -> AnnData | None:
    """Apply a method to one's own data, in the scverse manner.

    Parameters
    ----------
    adata
        Cells × genes, raw counts in ``X`` or in ``layer``.
    imputer
        Spec such as ``"maskclass-balanced"``, or an `Imputer`.
    key_added
        The result goes to ``layers[key_added]`` as log2(1 + count / size factor), float32; an
        embedding the method offers to ``obsm["X_" + key_added]``; what was done to
        ``uns[key_added]``. Everything else stays as it is.
    batch_key
        Column of ``obs`` with batches, for methods that use them.
    n_groups
        Number of cell groups, for methods that need it.
    copy
        Return a changed copy instead of changing `adata`.

    Raises
    ------
    InputError
        If the counts are not raw counts, or the method returns something unusable.
    UnavailableError
        If the method lacks something on this machine; says what installs it.
    ImputationError
        If a method that has an environment of its own fails there.
    """
    from impbench.data.read import observed_from_anndata
    from impbench.runner.separate_process import impute_apart, needs_environment

    method = get_imputer(imputer) if isinstance(imputer, str) else imputer
    if lack := type(method).unavailable():
        raise UnavailableError(f"{type(method).name} cannot run here: {lack}")
    observed = observed_from_anndata(adata, layer=layer, batch_key=batch_key, n_groups=n_groups)
    with tempfile.TemporaryDirectory(prefix="impbench-") as scratch:
        context = Context(seed=seed, device=device, threads=threads, scratch=Path(scratch))
        if needs_environment(method):
            imputed = impute_apart(method, observed, context).imputed
        else:
            method.prepare(context)
            imputed = method.impute(observed, context)
    imputed.check(observed)
    target = adata.copy() if copy else adata
    target.layers[key_added] = imputed.lognorm(observed)
    if imputed.embedding is not None:
        target.obsm[f"X_{key_added}"] = imputed.embedding
    target.uns[key_added] = {
        "imputer": method.spec,
        "version": type(method).version,
        "seed": seed,
        "scale": "log2(1 + count / size factor)",
        "citation": type(method).citation,
    }
    return target if copy else None


def impute_file(file: Path, out: Path, imputer: str, **options: Any) -> None:
    """Apply a method to an h5ad file and write another; see `impute` for the options.

    Raises
    ------
    InputError
        If `file` is not a readable h5ad, its counts are not raw counts, or `out` cannot be
        written. `out` is written whole or not at all.
    """
    from impbench.data.read import read_anndata

    method = get_imputer(imputer)
    if out.suffix != ".h5ad":
        raise InputError(f"{out} must end in .h5ad")
    adata = read_anndata(file)
    impute(adata, method, **options)
    partial = out.with_name(f".{out.name}.partial")
    try:
        adata.write_h5ad(partial)
        partial.replace(out)
    except OSError as error:
        raise InputError(f"cannot write {out}: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
