#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""file_systems: a reload beside a copy and dlopen, for libraries of 1 to 256 MB on each file system that can be mounted here.

usage: file_systems.py SCALING [--rounds N] [--sizes MB,MB] [--only NAME,NAME] [--out DIRECTORY]

SCALING is the program of that name. ext4, XFS and btrfs are made on loop devices in TMPDIR, tmpfs beside them; that takes root and
their mkfs. Where one can't be made it is left out, and the end says so: `SCALING --directory=PATH` measures on what is mounted at PATH.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

MB = 1 << 20
ROOM = 4 << 30  # for the libraries, their new builds and copies; the image has holes
MAKERS = {"ext4": ["mkfs.ext4", "-q", "-F"], "xfs": ["mkfs.xfs", "-q", "-f"], "btrfs": ["mkfs.btrfs", "-q", "-f"]}


def run(*words):
    done = subprocess.run([str(word) for word in words], text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise OSError(f"{words[0]}: {done.stderr.strip() or done.returncode}")


@contextlib.contextmanager
def mounted(name):
    """A directory on a new file system."""
    with tempfile.TemporaryDirectory(prefix="autoreload-file-system-") as here:
        place = Path(here) / "mounted"
        place.mkdir()
        if name == "tmpfs":
            run("mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", place)
        else:
            image = Path(here) / "image"
            image.touch()
            os.truncate(image, ROOM)
            run(*MAKERS[name], image)
            run("mount", "-o", "loop", image, place)
        try:
            yield place
        finally:
            run("umount", place)


def rows(scaling, place, sizes, rounds, out):
    """{bytes of the library: counters}"""
    wanted = "|".join(str(size * MB) for size in sizes)
    subprocess.run([scaling, f"--directory={place}", f"--rounds={rounds}", f"--benchmark_filter=scale/size/({wanted})/",
                    "--benchmark_repetitions=1", f"--benchmark_out={out}"], check=True, stdout=subprocess.DEVNULL)
    found = json.loads(Path(out).read_text(encoding="utf-8"))["benchmarks"]
    return {int(row["name"].split("/")[2]): row for row in found if row.get("run_type") == "iteration"}


def line(name, size, row):
    engine = sum(row[f"{stage}_us"] for stage in ("snapshot", "inspect", "load", "verify", "publish"))
    return (f"| {name} | {size // MB} MB | {row['bare_us'] / 1000:.2f} | {row['copied_us'] / 1000:.2f} | {row['p50_us'] / 1000:.2f} | "
            f"{row['fastest_us'] / 1000:.2f} | {engine / 1000:.2f} | {row['snapshot_us'] / 1000:.2f} | {row['inspect_us'] / 1000:.2f} | "
            f"{engine / row['copied_us']:.2f} |")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("scaling")
    options.add_argument("--rounds", type=int, default=15)
    options.add_argument("--sizes", default="1,16,64,256")
    options.add_argument("--only", default="tmpfs,ext4,xfs,btrfs")
    options.add_argument("--out", default=".")
    chosen = options.parse_args()
    sizes = [int(size) for size in chosen.sizes.split(",")]
    left_out = []
    print("ms | size | bare dlopen | copy, dlopen | reload, median | fastest | its stages | snapshot | inspect | stages : copy, dlopen")
    for name in chosen.only.split(","):
        try:
            with mounted(name) as place:
                out = Path(chosen.out) / f"file_systems_{name}.json"
                for size, row in sorted(rows(chosen.scaling, place, sizes, chosen.rounds, out).items()):
                    print(line(name, size, row), flush=True)
        except (OSError, subprocess.CalledProcessError) as failure:
            left_out.append(f"{name}: {failure}")
    for reason in left_out:
        print(f"left out: {reason}", file=sys.stderr)
    return 1 if left_out else 0


if __name__ == "__main__":
    sys.exit(main())
