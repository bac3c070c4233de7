# SPDX-License-Identifier: MIT
# feel: what a person waits for, from the save of a source to the first new value.
"""Rows are named feel/LIBRARY/COMPILER/LINKER/TOOL; `-direct`, `-linker` and `-tcc` after the tool say what goes before it. The
rows feel/LINKER are of another program, which starts the compiler itself."""

from . import text

PARTS = {"notice_us": "notice", "tool_us": "tool", "compile_us": "compile", "link_us": "link", "load_us": "load"}
OWN_LIMIT_MS = 3
FLOOR_RATIO = 1.1


def rows(results, library=""):
    """The rows that were measured, the fastest first."""
    found = [row for row in results.named(f"feel/{library}") if row.name.count("/") == 4 and row.get("p50_us") is not None]
    return sorted(found, key=lambda row: row.get("p50_us"))


def failed(results):
    return [row for row in results.named("feel/") if row.name.count("/") == 4 and row.get("p50_us") is None]


def libraries(results):
    """In the order of their size."""
    return sorted({row.name.split("/")[1] for row in rows(results)}, key=["demo", "lua", "sqlite"].index)


def ratio(row):
    """The whole over the same build by hand, or None."""
    floor = row.get("floor_us")
    return row.get("p50_us") / floor if floor else None


def _worst(results, function):
    values = [value for value in map(function, rows(results)) if value is not None]
    return max(values) if values else None


def worst_own_ms(results):
    """The largest own share of all rows in milliseconds: all but tool, compile and link."""
    return _worst(results, lambda row: row.get("own_us") / 1000 if row.get("own_us") is not None else None)


def worst_ratio(results):
    """Of the rows whose build by hand is the same one: by hand there is neither tcc nor the linker alone."""
    return _worst(results, lambda row: None if row.name.endswith(("-tcc", "-linker")) else ratio(row))


def table_of(row):
    """A row's cells."""
    parts = [text.duration(row.get(part)) if row.get(part) else "–" for part in PARTS]
    more = [text.duration(row.get(counter)) if row.get(counter) else "–" for counter in ("own_us", "floor_us")]
    times = ratio(row)
    return [f"`{row.name}`", row.label, *(text.duration(row.get(counter)) if row.get(counter) else "–" for counter in ("fastest_us", "p50_us", "p90_us")), *parts, *more,
            "–" if times is None else text.ratio(times)]


TITLES = ["<Row", "<What it is", "Fastest", "Median", "p90", *PARTS.values(), "own", "By hand", "× by hand"]
