"""R from Python: values go there, R functions are called with them, results come back.

>>> with RSession(scratch, RPackage("Matrix")) as r:
...     r.call("function(x) Matrix::rowSums(x)", {"x": counts})

R lives in a process of its own (`session`), which rpy2 embeds it in (`process`); `values` says what
becomes what, `packages` what is installed.
"""

from impbench.external.r.matrix import RMatrix
from impbench.external.r.packages import RPackage
from impbench.external.r.session import RError, RSession, open_session, prepare_session

__all__ = ["RError", "RMatrix", "RPackage", "RSession", "open_session", "prepare_session"]
