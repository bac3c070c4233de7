#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""count_instructions: the instructions of one call in each idiom, counted by valgrind's callgrind.

The count is the same in every run, whatever else the machine does. It holds the loop's own two or three instructions
and those of the called function; compare with the row raw_pointer, which holds the same.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

MARK = "count_instructions_mark"


def count(program, valgrind):
    """The program's own description of its idioms, and the instructions between its marks."""
    with tempfile.TemporaryDirectory(prefix="autoreload-bench-") as directory:
        profile = pathlib.Path(directory) / "profile"
        run = subprocess.run(
            [valgrind, "--tool=callgrind", f"--dump-before={MARK}", f"--callgrind-out-file={profile}", program],
            capture_output=True, text=True, check=False)
        if run.returncode != 0:
            sys.exit(f"{program} failed under valgrind:\n{run.stderr}")
        parts = sorted(profile.parent.glob(profile.name + ".*"), key=lambda part: int(part.suffix[1:]))
        totals = [int(re.search(r"^totals: (\d+)", part.read_text(), re.MULTILINE)[1]) for part in parts]
    calls, *lines = run.stdout.splitlines()
    return int(calls), [line.split("\t") for line in lines], totals


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="build/bench/count_instructions")
    parser.add_argument("--out", type=pathlib.Path, help="write JSON there")
    parser.add_argument("--valgrind", default="valgrind")
    options = parser.parse_args()

    calls, idioms, totals = count(options.program, options.valgrind)
    if len(totals) < 3 * len(idioms):
        sys.exit(f"{len(totals)} counts for {len(idioms)} idioms: callgrind did not stop at every {MARK}")
    # Three marks an idiom; the dump at a mark holds what ran since the mark before: preparation, short run, long run.
    rows = {}
    for index, (name, label) in enumerate(idioms):
        short, long = totals[3 * index + 1:3 * index + 3]
        rows[name] = {"instructions": round((long - short) / calls, 3), "label": label}
    floor = rows["raw_pointer"]["instructions"]
    for row in rows.values():
        row["over_raw_pointer"] = round(row["instructions"] - floor, 3)

    for name, row in rows.items():
        print(f"call/{name:<24} {row['instructions']:9.2f} {row['over_raw_pointer']:+9.2f}  {row['label']}")
    if options.out:
        version = subprocess.run([options.valgrind, "--version"], capture_output=True, text=True, check=True)
        result = {"context": {"counter": version.stdout.strip() + " callgrind", "calls": calls},
                  "instructions": [{"name": "call/" + name, **row} for name, row in rows.items()]}
        options.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
