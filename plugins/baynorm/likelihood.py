"""Log likelihood of negative binomial counts, to the last bit of R's.

Where the search for a size ends is decided by rounding (see `marginal_size`), so these are the
steps of R's ``dnbinom(x, size = s, mu = m, log = TRUE)``, added up from the first cell to the last:
the saddle-point expansion of Loader (2000, "Fast and accurate computation of binomial
probabilities"), with the gamma function as a Chebyshev series (W. Fullerton, SLATEC).
"""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numpy as np
from impbench_plugins.shared.compiled import njit, njit_unkept
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PI = Decimal("3.14159265358979323846264338327950288419716939937511")
LOG_TWO_PI = 1.837877066409345483560659472811
LOG_ROOT_TWO_PI = 0.918938533204672741780329736406


def _stirling_errors() -> list[float]:
    """Return ln Γ(n + 1) − (n + ½) ln n + n − ½ ln 2π at n = 0, ½, 1, … 15, rounded once."""
    errors = [0.0]
    with localcontext() as context:
        context.prec = 60
        for twice in range(1, 31):
            n = Decimal(twice) / 2
            if twice % 2:
                m = (twice + 1) // 2
                whole = Decimal(math.factorial(2 * m)) / (4**m * math.factorial(m))
                gamma = whole * PI.sqrt()
            else:
                gamma = Decimal(math.factorial(twice // 2))
            log_root = (2 * PI).ln() / 2
            errors.append(float(gamma.ln() - (n + Decimal("0.5")) * n.ln() + n - log_root))
    return errors


STIRLING_ERRORS = np.array(_stirling_errors())
GAMMA_SERIES = np.array(
    [
        0.008571195590989331421920062399942, 0.004415381324841006757191315771652,
        0.05685043681599363378632664588789, -0.004219835396418560501012500186624,
        0.001326808181212460220584006796352, -0.0001893024529798880432523947023886,
        3.606925327441245256578082217231e-5, -6.056761904460864218485548290365e-6,
        1.055829546302283344731823509093e-6, -1.811967365542384048291855891167e-7,
        3.117724964715322277790254593169e-8, -5.354219639019687140874081024347e-9,
        9.193275519859588946887786825940e-10, -1.577941280288339761767423273953e-10,
        2.707980622934954543266540433089e-11, -4.646818653825730144081661058933e-12,
        7.973350192007419656460767175359e-13, -1.368078209830916025799499172309e-13,
        2.347319486563800657233471771688e-14, -4.027432614949066932766570534699e-15,
        6.910051747372100912138336975257e-16, -1.185584500221992907052387126192e-16,
    ]
)  # fmt: skip
"""Of Γ(1 + y) − 0.9375 on 0 ≤ y < 1."""
STIRLING_SERIES = np.array(
    [
        0.1666389480451863247205729650822, -1.384948176067563840732986059135e-5,
        9.810825646924729426157171547487e-9, -1.809129475572494194263306266719e-11,
        6.221098041892605227126015543416e-14,
    ]
)  # fmt: skip
"""Of x times Stirling's error of ln Γ(x), in 2 (10/x)² − 1, for x from 10."""


def compile_likelihood() -> None:
    """Compile, for `prepare`."""
    log_likelihood(np.array([0.0, 2.0]), np.ones(2), 0.5)


@njit(nogil=True, error_model="numpy")
def log_likelihood(counts: Floats, means: Floats, size: float) -> float:
    """Return the sum over cells of the log probability of the counts.

    Parameters
    ----------
    counts, means
        (cells,) float64.
    """
    total = 0.0
    for cell in range(len(counts)):
        total += _log_probability(counts[cell], size, means[cell])
    return total


@njit_unkept(nogil=True, error_model="numpy")
def _log_probability(x: float, size: float, mean: float) -> float:
    if x == 0.0:
        both = size + mean
        return size * (math.log(size / both) if size < mean else math.log1p(-mean / both))
    if x < 1e-10 * size:
        near = size / (1.0 + size / mean) if size < mean else mean / (1.0 + mean / size)
        odds = math.log(near)
        return x * odds - mean - math.lgamma(x + 1.0) + math.log1p(x * (x - 1.0) / (2.0 * size))
    both, more = size + mean, size + x
    share = math.log(size / more) if size < x else math.log1p(-x / more)
    return share + _log_binomial(size, more, size / both, mean / both)


@njit_unkept(nogil=True, error_model="numpy")
def _log_binomial(x: float, n: float, p: float, q: float) -> float:
    """Return the log of the binomial probability of x of n, neither of which need be whole."""
    if q == 0.0:
        return 0.0 if x == n else -np.inf
    if x == n:
        return -_deviance(n, n * p) - n * q if q < 0.1 else n * math.log(p)
    rest = n - x
    first = _stirling_error(n) - _stirling_error(x) - _stirling_error(rest)
    first = first - _deviance(x, n * p) - _deviance(rest, n * q)
    second = LOG_TWO_PI + math.log(x) + math.log1p(-x / n)
    return first - 0.5 * second


@njit_unkept(nogil=True, error_model="numpy")
def _deviance(x: float, mean: float) -> float:
    """Return x ln(x / mean) + mean − x, by a series where the two are near."""
    if abs(x - mean) < 0.1 * (x + mean):
        part = (x - mean) / (x + mean)
        total = (x - mean) * part
        if abs(total) < 2.2250738585072014e-308:
            return total
        term = 2.0 * x * part
        part *= part
        for j in range(1, 1000):
            term *= part
            before = total
            total += term / (2 * j + 1)
            if total == before:
                return total
    return x * math.log(x / mean) + mean - x


@njit_unkept(nogil=True, error_model="numpy")
def _stirling_error(n: float) -> float:
    if n <= 15.0:
        twice = n + n
        if twice == math.floor(twice):
            return STIRLING_ERRORS[int(twice)]
        return _log_gamma(n + 1.0) - (n + 0.5) * math.log(n) + n - LOG_ROOT_TWO_PI
    square = n * n
    if n > 500.0:
        return (1 / 12 - 1 / 360 / square) / n
    if n > 80.0:
        return (1 / 12 - (1 / 360 - 1 / 1260 / square) / square) / n
    if n > 35.0:
        return (1 / 12 - (1 / 360 - (1 / 1260 - 1 / 1680 / square) / square) / square) / n
    last = 1 / 1680 - 1 / 1188 / square
    return (1 / 12 - (1 / 360 - (1 / 1260 - last / square) / square) / square) / n


@njit_unkept(nogil=True, error_model="numpy")
def _log_gamma(x: float) -> float:
    """Return ln Γ(x), for x from 1 to 16."""
    if x > 10.0:
        tenth = 10.0 / x
        error = _chebyshev(tenth * tenth * 2.0 - 1.0, STIRLING_SERIES) / x
        return LOG_ROOT_TWO_PI + (x - 0.5) * math.log(x) - x + error
    whole = int(x)
    y = x - whole
    value = _chebyshev(y * 2.0 - 1.0, GAMMA_SERIES) + 0.9375
    for j in range(1, whole):
        value *= y + j
    return math.log(value)


@njit_unkept(nogil=True, error_model="numpy")
def _chebyshev(x: float, series: Floats) -> float:
    last = middle = new = 0.0
    for place in range(len(series) - 1, -1, -1):
        last, middle = middle, new
        new = 2.0 * x * middle - last + series[place]
    return (new - last) * 0.5
