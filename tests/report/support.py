# SPDX-License-Identifier: MIT
# support: results as the benchmark programs write them, for tests of the report.

import json
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "report"))


def entry(name, cpu=1.0, real=None, unit="ns", repetition=0, label="", **counters):
    """One entry of Google Benchmark's JSON."""
    threads = int(name.rsplit("threads:", 1)[1].split("/")[0]) if "threads:" in name else 1
    return {"name": name, "run_name": name, "run_type": "iteration", "repetitions": 1, "repetition_index": repetition,
            "threads": threads, "iterations": 1, "real_time": real if real is not None else cpu, "cpu_time": cpu,
            "time_unit": unit, "label": label, **counters}


def calls(**times):
    """Calls with these times (ns) at 1 and 2 threads, each repeated three times."""
    return [entry(f"call/{idiom}/threads:{threads}", cpu=time * (1 + 0.01 * repetition), repetition=repetition)
            for idiom, time in times.items() for threads in (1, 2) for repetition in range(3)]


def reloads(floor, total, slow):
    """The floor and the whole of a reload: medians, and a 99th percentile that is `slow` times the median."""
    return [entry("reload/floor", p50_us=floor, p90_us=floor * 1.2, p99_us=floor * 2, max_us=floor * 3),
            entry("reload/total", p50_us=total, p90_us=total * 1.2, p99_us=total * slow, max_us=total * slow * 2,
                  notice_us=total * 0.4, snapshot_us=total * 0.2, load_us=total * 0.3)]


def axis(name, points, **counters):
    """An axis of growth from (x, microseconds) points; counters are functions of x."""
    return [entry(f"scale/{name}/{x}/iterations:20/manual_time", real=y, unit="us", p50_us=y, p90_us=y * 1.1, p99_us=y * 1.5,
                  max_us=y * 2, **{key: function(x) for key, function in counters.items()}) for x, y in points]


def results(machine=None, instructions=None, **programs):
    """Results read back from a directory, as in a real run."""
    from autoreload_report.results import Results

    with tempfile.TemporaryDirectory() as directory:
        write(directory, machine, instructions, **programs)
        return Results(directory)


def write(directory, machine=None, instructions=None, **programs):
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    for name, entries in programs.items():
        document = entries if isinstance(entries, dict) else {
            "context": {"library_build_type": "debug", "compiler": "g++"}, "benchmarks": entries}
        (directory / f"{name}.json").write_text(json.dumps(document))
    if machine is not None:
        (directory / "machine.json").write_text(json.dumps(machine))
    if instructions is not None:
        (directory / "instructions.json").write_text(json.dumps(
            {"instructions": [{"name": f"call/{idiom}", "instructions": count} for idiom, count in instructions.items()]}))
