"""Impute with a program on files: one process per imputation, among the processes of its task."""

from __future__ import annotations

import contextlib
import importlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from impbench.context import Context
from impbench.errors import ImpbenchError, InputError, UnavailableError
from impbench.external import files
from impbench.imputer import Imputed, Imputer, Observed, Scale

BUILT_IN = ("input", "output", "seed", "threads", "device", "n_groups", "scratch", "python")
"""What a command may name besides its parameters."""

REFUSED = 65
"""Exit status by which a program refuses data: EX_DATAERR of sysexits.h."""

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{(\w+)\}")
_PROGRESS = re.compile(r"\s*progress:? (\d+)/(\d+)\s*")
_TAIL = 15


class ProgramError(ImpbenchError, RuntimeError):
    """A program failed; the message holds the last lines that it printed."""


@dataclass(frozen=True)
class ProgramImputer(Imputer):
    """Base of the classes that manifests make; their parameters are filled into `command`."""

    command: ClassVar[tuple[str, ...]]
    format: ClassVar[Literal["h5ad", "csv"]]
    output_scale: ClassVar[Scale | None]
    folder: ClassVar[Path]

    def prepare(self, context: Context) -> None:
        """Find the program, and import what reads and writes its files.

        Raises
        ------
        UnavailableError
            If there is no such program.
        """
        self._program(self.command[0])
        # It takes seconds, which should not be timed.
        importlib.import_module("anndata" if self.format == "h5ad" else "pandas")

    def impute(self, observed: Observed, context: Context) -> Imputed:
        """Write the input, run the program, read its output.

        Raises
        ------
        InputError
            If there is no scratch folder, the program refuses the data (exit status 65), or its
            output is not what the manifest promises.
        UnavailableError
            If there is no such program.
        ProgramError
            If the program fails.
        """
        if context.scratch is None:
            raise InputError(f"{self.name} needs a scratch folder: Context(scratch=Path(...))")
        work = Path(tempfile.mkdtemp(dir=context.scratch))
        try:
            given = files.write_input(work, observed, self, context)
            output = work / f"output.{self.format}"
            words = self.words(observed, context, given, output)
            self._run(words, work, context)
            return files.read_output(output, observed, self)
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def words(self, observed: Observed, context: Context, given: Path, output: Path) -> list[str]:
        """Return the command with everything filled in."""
        values: dict[str, Any] = {
            **self.parameters(),
            "input": given,
            "output": output,
            "seed": context.seed,
            "threads": context.threads,
            "device": context.device,
            "scratch": given.parent,
            "python": sys.executable,
        }
        if observed.n_groups is not None:
            values["n_groups"] = observed.n_groups
        elif any("n_groups" in placeholders(word) for word in self.command):
            raise InputError(f"{self.name} needs the number of groups, which is not known here")
        first, *rest = (self._path_of(word) or _filled(word, values) for word in self.command)
        return [self._program(first), *rest]

    def _path_of(self, word: str) -> str | None:
        """Return the full path of a file that lies beside the manifest."""
        file = self.folder / word
        return str(file) if word and file.is_file() else None

    def _program(self, word: str) -> str:
        program = _filled(word, {"python": sys.executable})
        found = shutil.which(self._path_of(program) or program)
        if found is None:
            beside = self._path_of(program)
            hint = f"make it executable: chmod +x {beside}" if beside else "is it installed?"
            raise UnavailableError(f"{self.name}: there is no program {program!r}; {hint}")
        return found

    def _run(self, words: list[str], work: Path, context: Context) -> None:
        """Run the program; what it prints goes to standard error, its progress to `context`."""
        last: deque[str] = deque(maxlen=_TAIL)
        log = work / "log"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                words, cwd=work, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT
            )
        try:
            for line in _lines(process, log):
                if step := _PROGRESS.fullmatch(line):
                    context.progress(int(step[1]), int(step[2]))
                else:
                    last.append(line.rstrip())
                    sys.stderr.write(line)
        finally:
            _end(process)
        text = "\n".join(last).strip()
        if process.returncode == REFUSED:
            reason = last[-1] if text else "and gave no reason"
            raise InputError(f"{self.name} refuses these data: {reason}")
        if process.returncode != 0:
            raise ProgramError(
                f"{self.name}: {Path(words[0]).name} {_ending(process.returncode)}; "
                + (f"its last lines:\n{text}" if text else "it printed nothing")
            )


def placeholders(word: str) -> list[str]:
    """Return the names in braces in one word of a command."""
    return [found[1] for found in _PLACEHOLDER.finditer(word) if found[1]]


def _filled(word: str, values: dict[str, Any]) -> str:
    def value(found: re.Match[str]) -> str:
        if found[1] is None:
            return found[0][0]
        if found[1] not in values:
            return found[0]
        item = values[found[1]]
        return str(item).lower() if isinstance(item, bool) else str(item)

    return _PLACEHOLDER.sub(value, word)


def _lines(process: subprocess.Popen[bytes], log: Path) -> Iterator[str]:
    """Yield lines as they are printed, until the program ends.

    A file, not a pipe: a grandchild that holds a pipe open would keep us waiting.
    """
    with log.open(encoding="utf-8", errors="replace") as source:
        unfinished = ""
        ended = False
        while not ended:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
                ended = True
            *lines, unfinished = (unfinished + source.read()).split("\n")
            yield from (f"{line}\n" for line in lines)
        if unfinished:
            yield f"{unfinished}\n"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the program and its descendants if it still runs: we were cancelled."""
    if process.poll() is not None:
        return
    import psutil

    with contextlib.suppress(psutil.Error):
        root = psutil.Process(process.pid)
        for child in (*root.children(recursive=True), root):
            with contextlib.suppress(psutil.Error):
                child.kill()
    process.wait()


def _ending(status: int) -> str:
    return f"ended with status {status}" if status > 0 else f"was killed by signal {-status}"
