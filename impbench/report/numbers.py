"""Format numbers for readers: three digits, a spread at the same precision, sensible units."""

from __future__ import annotations

import math

MISSING = "—"


def number(value: float, digits: int = 3) -> str:
    """Return `value` to so many significant digits, plain where that is short."""
    if not math.isfinite(value):
        return MISSING if math.isnan(value) else ("∞" if value > 0 else "−∞")
    if value == 0:
        return "0"
    size = abs(value)
    if not 1e-4 <= size < 1e6:
        mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
        return f"{mantissa}e{int(exponent)}".replace("-", "−")
    return fixed(value, _decimals(size, digits))


def fixed(value: float, decimals: int) -> str:
    """Return `value` with so many decimals and a true minus sign, or a dash for NaN."""
    if not math.isfinite(value):
        return MISSING
    text = f"{value:.{decimals}f}"
    # A value that rounds to zero has no sign.
    return (text.lstrip("-") if float(text) == 0 else text).replace("-", "−")


def spread(mean: float, sd: float, digits: int = 3, signed: bool = False) -> str:
    """Return ``0.387 ± 0.004``: no more digits than the sd bears out; no sd where it is NaN.

    `signed` puts a plus before what is above 0, as before a difference.
    """
    if signed and mean > 0:
        return f"+{spread(mean, sd, digits)}"
    if math.isnan(sd) or not math.isfinite(mean):
        return number(mean, digits)
    if mean == 0 or not 1e-6 < abs(mean) < 1e6:
        return f"{number(mean, digits)} ± {number(sd, 2)}"
    decimals = _decimals(abs(mean), digits)
    if sd > 0:
        decimals = min(decimals, _decimals(sd, 2))
    shown = fixed(sd, decimals) if sd else "0"
    if sd > 0 and float(shown) == 0:
        shown = f"<{fixed(10.0**-decimals, decimals)}"
    return f"{fixed(mean, decimals)} ± {shown}"


def interval_text(low: float, high: float) -> str:
    """Return ``0.361 to 0.375``, at the precision that the width bears out."""
    width, size = high - low, max(abs(low), abs(high))
    if not (width > 0 and 1e-4 <= size < 1e6):
        return f"{number(low)} to {number(high)}"
    decimals = min(_decimals(width, 2), _decimals(size, 4))
    return f"{fixed(low, decimals)} to {fixed(high, decimals)}"


def skill_text(value: float) -> str:
    """Return a skill with its sign and two decimals; three where two would make it a full 1."""
    if not math.isfinite(value):
        return MISSING
    text = fixed(value, 3 if 0.995 <= abs(value) < 0.9995 else 2)
    return f"+{text}" if value > 0 and float(text) != 0 else text


def rank_text(value: float) -> str:
    """Return ``3`` or ``2.5``."""
    return MISSING if math.isnan(value) else f"{value:.2f}".rstrip("0").rstrip(".")


def p_text(value: float) -> str:
    """Return a p value, never as a false zero."""
    if math.isnan(value):
        return MISSING
    return "< 0.0001" if value < 1e-4 else f"{value:.4f}" if value < 0.01 else f"{value:.3f}"


def bound(value: float) -> str:
    """Return an end of a range: ``0``, ``−0.5`` or ``∞``."""
    return f"{value:g}".replace("inf", "∞").replace("-", "−")


def memory_text(n_bytes: float) -> str:
    """Return bytes as GiB or MiB."""
    gib = n_bytes / 2**30
    return f"{gib:.1f} GiB" if gib >= 1 else f"{n_bytes / 2**20:.0f} MiB"


def _decimals(size: float, digits: int) -> int:
    return max(0, digits - 1 - math.floor(math.log10(size)))
