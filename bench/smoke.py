#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""smoke: runs a benchmark program for a moment and looks whether its rows are all there and none has failed.

Google Benchmark's programs end with success whatever happened in a row, so their results have to be read.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--row", action="append", default=[], help="a row that must be there; may be repeated")
    parser.add_argument("program")
    parser.add_argument("arguments", nargs="*", help="for the program, after --")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="autoreload-bench-") as directory:
        out = pathlib.Path(directory) / "result.json"
        run = subprocess.run(
            [options.program, "--benchmark_min_time=0.001", "--benchmark_repetitions=1", f"--benchmark_out={out}",
             *options.arguments], capture_output=True, text=True, check=False)
        if run.returncode != 0:
            sys.exit(f"{options.program} ended with {run.returncode}:\n{run.stdout}{run.stderr}")
        text = out.read_text()  # empty when the filter matches nothing
        rows = {row["name"]: row for row in json.loads(text)["benchmarks"]} if text else {}

    problems = [f"{name}: {row['error_message']}" for name, row in rows.items() if row.get("error_occurred")]
    problems += [f"{name}: there is no such row" for name in options.row if name not in rows]
    problems += [f"{name}: no time was measured" for name, row in rows.items()
                 if not row.get("error_occurred") and row["iterations"] == 0]
    if problems or not rows:
        sys.exit("\n".join(problems) or "no row ran")
    print(f"{len(rows)} rows")


if __name__ == "__main__":
    main()
