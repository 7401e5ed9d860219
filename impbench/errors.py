"""The errors a user can meet; each says what was wrong, where, what was expected and what to do."""


class ImpbenchError(Exception):
    """Base of every error impbench raises on purpose; the command line shows no traceback."""


class InputError(ImpbenchError, ValueError):
    """Data, a parameter or a file is not what impbench needs."""


class NoExpressionError(InputError):
    """An expression was asked of a method that gives only an embedding."""


class NotFoundError(ImpbenchError, LookupError):
    """No imputer, dataset, metric, protocol or suite of that name exists."""


class UnavailableError(ImpbenchError, RuntimeError):
    """Something optional (a package, R, a GPU, the network) is missing; says how to get it."""


class Cancelled(ImpbenchError):
    """The run was asked to stop; raised inside an imputer by `Context.progress`."""
