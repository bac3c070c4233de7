# SPDX-License-Identifier: MIT
# placement: what it does to a loop of calls where in memory it lies.


def times(results, idiom):
    """A call's nanoseconds at the place where its loop is fastest, and where it is slowest; None when nothing was measured."""
    found = [row.get("cpu_ns") for row in results.named(f"placed/{idiom}/") if row.get("cpu_ns") is not None]
    return (min(found), max(found)) if found else None


def idioms(results):
    """The fastest first."""
    names = {row.name.split("/")[1] for row in results.named("placed/")}
    return sorted((name for name in names if times(results, name)), key=lambda name: times(results, name))
