# SPDX-License-Identifier: MIT
# text: numbers as people read them.

import math


def significant(value, digits=3):
    """As many digits as mean something, and no exponent: 0.0123, 1.06, 12.3, 123, 12,300."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits}g}")
    decimals = digits - 1 - math.floor(math.log10(abs(rounded)))
    return f"{rounded:,.{max(decimals, 0)}f}"


def nanoseconds(value):
    return duration(value / 1000)


def duration(microseconds):
    """A time given in microseconds, in the unit that suits it."""
    if abs(microseconds) < 1:
        return f"{significant(microseconds * 1000)} ns"
    if abs(microseconds) < 1000:
        return f"{significant(microseconds)} µs"
    if abs(microseconds) < 1_000_000:
        return f"{significant(microseconds / 1000)} ms"
    return f"{significant(microseconds / 1_000_000)} s"


def ratio(value):
    return f"{value:.2f}"


def percent(part):
    if part == 0:
        return "0 %"
    return f"{part * 100:.0f} %" if abs(part) >= 0.1 else f"{part * 100:.1f} %"


def size(kilobytes):
    """An amount of memory given in KB (1,024 bytes)."""
    if abs(kilobytes) < 1024:
        return f"{_short(kilobytes)} KB"
    if abs(kilobytes) < 1024 * 1024:
        return f"{_short(kilobytes / 1024)} MB"
    return f"{_short(kilobytes / 1024 / 1024)} GB"


def _short(value):
    return f"{value:.0f}" if abs(value - round(value)) < 0.005 else significant(value)


def count(value):
    whole = abs(value - round(value)) < 0.005 or abs(value) >= 100
    return f"{value:,.0f}" if whole else significant(value)


def enumerate_words(words):
    """"a", "a and b", "a, b and c"."""
    words = list(words)
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1] if words else ""
