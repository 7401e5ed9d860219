"""Start R through rpy2 in a process of its own, then answer one call after the other.

Run by `RSession` as ``python -m impbench.external.r.process DESCRIPTOR``.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

from impbench.errors import InputError, UnavailableError
from impbench.external.r.packages import RPackage
from impbench.external.r.session import RError

Evaluate = Callable[[str, Mapping[str, Any], int | None], Any]
"""Calls an R function, given as source, with arguments and a seed."""

_SHOWN = 10
"""Calls at either end of a traceback that the log shows."""

_EVALUATE = """
{
  # Warnings as they come: at the end of a call nobody would print them.
  options(warn = 1)
  function(source, arguments, seed) {
    trace <- NULL
    tryCatch({
      if (!is.null(seed)) set.seed(seed, "Mersenne-Twister", "Inversion", "Rejection")
      # Arguments by name: with the values in the call, every error would print them.
      frame <- list2env(arguments, parent = new.env(parent = globalenv()))
      called <- as.call(c(as.name("f"), sapply(names(arguments), as.name)))
      assign("f", eval(parse(text = source, keep.source = FALSE), globalenv()), parent.env(frame))
      withCallingHandlers(
        list(value = eval(called, frame)),
        # The calls at either end are those of this function and of the handlers.
        error = function(e) trace <<- utils::head(utils::tail(sys.calls(), -8L), -2L)
      )
    }, error = function(e) {
      line <- function(call) if (is.null(call)) "" else deparse(call, nlines = 1L)[1L]
      list(
        message = conditionMessage(e),
        call = line(conditionCall(e)),
        trace = vapply(as.list(trace), line, "")
      )
    })
  }
}
"""

_ATTACH = """
function(name) {
  library(name, character.only = TRUE)
  utils::packageDescription(name)$Version
}
"""


def main(descriptor: int) -> None:
    """Answer what comes through `descriptor` until the other side closes it."""
    # Programs that R starts must not keep the connection open.
    os.set_inheritable(descriptor, False)
    connection = Connection(descriptor)
    requests: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(target=_listen, args=(connection, requests), daemon=True).start()
    packages = requests.get()
    try:
        evaluate = start_r()
        versions = _versions(evaluate)
        versions |= {package.name: _attach(evaluate, package) for package in packages}
    except UnavailableError as error:
        connection.send(error)
        return
    connection.send(versions)
    while True:
        connection.send(_answer(evaluate, *requests.get()))


def start_r() -> Evaluate:
    """Start R in this process.

    Raises
    ------
    UnavailableError
        If rpy2 does not fit the R that is installed.
    """
    try:
        # rpy2 warns of each variable that R's own start-up script sets.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import rpy2.rinterface as ri
            from rpy2.rinterface_lib import callbacks, embedded

            embedded.set_initoptions(("rpy2", "--quiet", "--no-save", "--no-restore"))
            ri.initr(interactive=False)
    except Exception as error:
        traceback.print_exc()
        version = importlib.metadata.version("rpy2")
        raise UnavailableError(
            f"rpy2 {version} cannot start this R ({type(error).__name__}: {error}); try another "
            "version, such as pip install 'rpy2==3.5.17'"
        ) from None
    # rpy2 leaves Ctrl-C to Python, which is not asked while R computes.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    callbacks.consolewrite_print = callbacks.consolewrite_warnerror = _print
    from impbench.external.r import values

    evaluate = ri.evalr(_EVALUATE)

    def call(source: str, arguments: Mapping[str, Any], seed: int | None) -> Any:
        given = values.to_r(dict(arguments), "argument")
        result = evaluate(values.to_r(source), given, values.to_r(seed))
        outcome = dict(zip(result.names, result, strict=True))
        if "value" in outcome:
            return values.to_python(outcome["value"], "the result")
        raise _error(*(values.to_python(outcome[part]) for part in ("message", "call", "trace")))

    return call


def _print(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def _error(message: Sequence[str], call: Sequence[str], trace: Sequence[str]) -> Exception:
    """Put an R error into Python's terms, with its traceback in the log."""
    text = message[0].strip()
    lines = list(trace)
    if len(lines) > 2 * _SHOWN:
        lines = [*lines[:_SHOWN], "...", *lines[-_SHOWN:]]
    _print(f"Error in R: {text}\n" + "".join(f"  {line}\n" for line in lines))
    if text.startswith("cannot allocate"):
        return MemoryError(f"R {text}")
    return RError(f"{text} (in R's {call[0]})" if call[0] else text)


def _versions(evaluate: Evaluate) -> dict[str, str]:
    (version,) = evaluate("function() as.character(getRversion())", {}, None)
    return {"R": str(version), "rpy2": importlib.metadata.version("rpy2")}


def _attach(evaluate: Evaluate, package: RPackage) -> str:
    try:
        (version,) = evaluate(_ATTACH, {"name": package.name}, None)
    except RError as error:
        raise UnavailableError(
            f"R's package {package.name} does not load: {error}; install it with {package.install}"
        ) from None
    return str(version)


def _answer(
    evaluate: Evaluate, function: str, arguments: Mapping[str, Any], seed: int | None
) -> Any:
    """Return the result, or the exception that our parent is to raise."""
    try:
        return evaluate(function, arguments, seed)
    except (InputError, RError, MemoryError) as error:
        return error
    except Exception as error:
        traceback.print_exc()
        return RError(f"{type(error).__name__}: {error}")


def _listen(connection: Connection, requests: SimpleQueue[Any]) -> None:
    """Pass requests on; at their end, which is our parent's, end this process and its children."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            requests.put(connection.recv())
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]))
