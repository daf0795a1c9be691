"""How numbers are printed: with the digits they deserve, their interval and their unit."""

from __future__ import annotations

import math

from anagen.records import Estimate

NOT_GIVEN = "–"


def print_number(value: float | None, digits: int = 1) -> str:
    """Print a number, or a dash where there is none.

    Examples
    --------
    >>> print_number(12.345), print_number(float("nan")), print_number(-0.04)
    ('12.3', '–', '0.0')
    """
    if value is None or not math.isfinite(value):
        return NOT_GIVEN
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def print_interval(low: float, high: float, digits: int = 1) -> str:
    """Print an interval as ``low to high``.

    Examples
    --------
    >>> print_interval(-1.25, 3)
    '−1.2 to 3.0'
    """
    return f"{print_number(low, digits)} to {print_number(high, digits)}"


def print_estimate(estimate: Estimate, digits: int = 1) -> str:
    """Print an estimate with interval and unit.

    Examples
    --------
    >>> print_estimate(Estimate(8.25, "hairs/cm²", 4.0, 12.5, 29, "paired t"))
    '8.2 (95 % CI 4.0 to 12.5) hairs/cm²'
    """
    level = f"{100 * estimate.level:g} % CI"
    unit = "" if estimate.unit == "1" else f" {estimate.unit}"
    interval = print_interval(estimate.ci_low, estimate.ci_high, digits)
    return f"{print_number(estimate.value, digits)} ({level} {interval}){unit}"


def print_p(p_value: float | None) -> str:
    """Print a p-value to three decimals, never as zero.

    Examples
    --------
    >>> print_p(0.0316), print_p(1e-9), print_p(None)
    ('0.032', '< 0.001', '–')
    """
    if p_value is None or not math.isfinite(p_value):
        return NOT_GIVEN
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def print_large(value: float) -> str:
    """Print a concentration in powers of ten.

    Examples
    --------
    >>> print_large(1.234e9)
    '1.23 × 10⁹'
    """
    if not math.isfinite(value) or value <= 0:
        return NOT_GIVEN
    power = math.floor(math.log10(value))
    raised = str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{value / 10**power:.2f} × 10{raised}"
