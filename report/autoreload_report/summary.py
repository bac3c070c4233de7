# SPDX-License-Identifier: MIT
# summary: a run's results in one small file: what texts quote and what two reports are compared by.
"""A series of repetitions is kept as its five-number summary (least, lower quartile, median, upper quartile, most). The
median and the quartiles of these five are those of the whole series, so nothing that reads a summary needs to know.
The raw repetitions stay in the build directory."""

import json

from . import statistics
from .results import Results, Row

NAME = "summary.json"
_DIGITS = 7  # significant ones: far more than any measurement here has


def _short(value):
    rounded = float(f"{value:.{_DIGITS}g}")
    return int(rounded) if rounded == int(rounded) else rounded


def _five(series):
    """A series as its five-number summary; as one number where all five are equal. Fewer than three values stay as they are."""
    if len(series) < 3:
        return [_short(value) for value in series]
    five = [_short(statistics.quantile(series, part / 4)) for part in range(5)]
    return five[0] if five[0] == five[4] else five


def _series(kept):
    return kept if isinstance(kept, list) else [kept] * 5


def write(results, path):
    """Writes the summary of these results: a line for each row, so that a changed row is a changed line."""
    rows = []
    for name, row in sorted(results.rows.items()):
        kept = {"label": row.label, "threads": row.threads, "cpu_ns": _five(row.cpu_ns), "real_ns": _five(row.real_ns),
                "counters": {counter: _five(series) for counter, series in row.counters.items()}}
        if row.failure:
            kept["failure"] = row.failure
        rows.append(f"  {json.dumps(name)}: {json.dumps(kept, ensure_ascii=False, separators=(',', ':'))}")
    head = {key: results.documents[key] for key in ("machine", "instructions") if key in results.documents}
    lines = [f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}," for key, value in head.items()]
    path.write_text("{\n" + "\n".join(lines) + '\n "rows": {\n' + ",\n".join(rows) + "\n }\n}\n")


def read(path):
    """The Results that a summary was written of; its histograms are not among them."""
    document = json.loads(path.read_text())
    results = Results(path.parent / "absent")
    results.documents = {key: document[key] for key in ("machine", "instructions") if key in document}
    for name, kept in document["rows"].items():
        counters = {counter: _series(series) for counter, series in kept["counters"].items()}
        results.rows[name] = Row(name, kept["label"], kept["threads"], _series(kept["real_ns"]), _series(kept["cpu_ns"]),
                                 counters, kept.get("failure", ""))
    return results


def fill_up(results, earlier):
    """Adds what programs measured that did not run this time, from an earlier report of the same machine. The report says
    when that was; their histograms are not kept."""
    programs = results.machine.setdefault("programs", {})
    for name, state in earlier.machine.get("programs", {}).items():
        if programs.get(name, {"state": "absent"})["state"] != "measured" and state["state"] == "measured":
            programs[name] = {"why": f"on {earlier.machine.get('started', 'an unknown day')[:10]}", **state}
    for name, row in earlier.rows.items():
        results.rows.setdefault(name, row)


def results_in(directory):
    """The results in a report's directory: of a summary when there is one, else of the JSON files of the programs."""
    if (directory / NAME).exists():
        return read(directory / NAME)
    return Results(directory / "json" if (directory / "json").is_dir() else directory)
