"""Numbers and settings as a reader wants to see them."""

import math

MINUS = "\N{MINUS SIGN}"


def number(value, digits=3):
    """A number with `digits` significant digits; large ones with a unit (12.3k, 4.5M); a dash for nan."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return minus(str(value))
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return minus(f"{value / (1e3 if unit == 'k' else size):.{digits}g}{unit}")
    return minus(f"{value:.0f}" if abs(value) >= 10 ** (digits - 1) else f"{value:.{digits}g}")


def mean(values, factor=1, digits=2):
    """The mean of an array of values times a factor, as text; a dash for none.

    Each value is multiplied, not their mean: the studies' tables do so, and where the next digit is a 5 the two differ.
    """
    return f"{(factor * values).mean():.{digits}f}" if len(values) else "–"


def minus(text):
    """The text with a typographic minus in front of a negative number."""
    return MINUS + text[1:] if text.startswith("-") else text


def plural(count, noun):
    """`1 run`, `3 runs`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def duration(seconds):
    """Seconds as s, min or h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def mu_words(mu_init):
    """`μ = −3`."""
    return f"μ = {minus(f'{mu_init:g}')}"
