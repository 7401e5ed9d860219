"""Read and write a lockfile: the exact versions that a method's environment gets.

It is a constraints file of pip. The packages that a method asks for stay in its ``requires``; the
lockfile says which versions of these, and of all that they depend on, are known to work together.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from impbench.environments.interpreters import BuildError
from impbench.environments.package_links import located
from impbench.errors import InputError
from impbench.imputer import Imputer
from impbench.plan.keys import plugin_file
from impbench.stand_in import StandIn
from impbench.write_atomically import write_atomically

# Tools that a new environment holds anyway, in the version that its Python brings.
_TOOLS = ("pip",)


def lock_lines(imputer: type[Imputer]) -> tuple[str, ...]:
    """Return all lines of the lockfile that `imputer` declares; none if there is no such file.

    Raises
    ------
    BuildError
        If its path leads out of the folder of the module.
    """
    if not imputer.lockfile:
        return ()
    carried = imputer.stood_for_.lock if issubclass(imputer, StandIn) else None
    if carried is not None:
        return carried
    try:
        return tuple(_lock_path(imputer).read_text(encoding="utf-8").splitlines())
    except OSError:
        return ()


def read_lock(imputer: type[Imputer]) -> tuple[str, ...]:
    """Return the lines of the lockfile that pip heeds; empty if `imputer` declares none.

    Raises
    ------
    BuildError
        If the file is missing, or a line is not a version of a package.
    """
    if not imputer.lockfile:
        return ()
    lines = lock_lines(imputer)
    which = f"{imputer.lockfile}, the lockfile of {imputer.name}"
    if not lines:
        reason = f"{which}, is missing or empty; impbench env lock {imputer.name} writes it"
        raise BuildError(reason, "failed")
    heeded = []
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        try:
            heeded += [str(Requirement(text))] if text else []
        except InvalidRequirement as error:
            reason = f"{which}, line {number}: {text!r} is not a package and its version"
            expected = "expected a line such as numpy==1.26.4"
            raise BuildError(f"{reason}; {expected}", "failed") from error
    return tuple(heeded)


def write_lock(imputer: type[Imputer], interpreter: str, packages: Mapping[str, str]) -> Path:
    """Write the lockfile of `imputer` for an environment that holds `packages`; return its path.

    Parameters
    ----------
    interpreter
        Such as ``CPython 3.8.18``; a comment says it.
    packages
        Versions by name.

    Raises
    ------
    InputError
        If `imputer` declares no lockfile, or its folder cannot be written to.
    BuildError
        If its path leads out of the folder of the module.
    """
    if not imputer.lockfile:
        raise InputError(
            f"{imputer.name} declares no lockfile; give its class a line such as "
            f'lockfile = "locks/{imputer.name}.txt"'
        )
    path = _lock_path(imputer)
    # A build's own mark, such as torch's +cpu, is left out: others could not install that one.
    versions = {name: packages[name].partition("+")[0] for name in sorted(packages)}
    pins = [f"{name}=={version}" for name, version in versions.items() if name not in _TOOLS]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, "\n".join([f"# {interpreter}", *pins, ""]).encode())
    return path


def _lock_path(imputer: type[Imputer]) -> Path:
    relative = Path(imputer.lockfile)
    if relative.is_absolute() or ".." in relative.parts:
        raise BuildError(
            f"{imputer.name} has lockfile = {imputer.lockfile!r}; expected a path below the folder "
            f"of its module, such as 'locks/{imputer.name}.txt'",
            "failed",
        )
    return _home(imputer) / relative


def _home(imputer: type[Imputer]) -> Path:
    """Return the folder of the module that defines `imputer`."""
    file = plugin_file(imputer)
    if file is not None:
        return file.parent
    spec = located(imputer.__module__)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent
