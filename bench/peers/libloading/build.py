#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""build: compiles the Rust half of the libloading peer, offline, from the sources that Debian's librust-* packages
install.

usage: build.py CARGO REGISTRY SOURCE_DIRECTORY OUTPUT
"""

import pathlib
import shutil
import subprocess
import sys


def main():
    cargo, registry, source, output = sys.argv[1:]
    output = pathlib.Path(output).absolute()
    # Cargo writes a lock file beside the manifest, so it gets a copy.
    crate = output.with_suffix(".crate")
    crate.mkdir(exist_ok=True)
    for name in ("Cargo.toml", "lib.rs"):
        shutil.copy2(pathlib.Path(source) / name, crate / name)
    built = subprocess.run(
        [cargo, "build", "--release", "--offline", "--quiet", "--manifest-path", crate / "Cargo.toml",
         "--target-dir", crate / "target",
         "--config", 'source.crates-io.replace-with="packaged"',
         "--config", f'source.packaged.directory="{registry}"'],
        capture_output=True, text=True, check=False)
    if built.returncode != 0:
        sys.exit(built.stderr)
    shutil.copy2(crate / "target" / "release" / "libbench_libloading.a", output)


if __name__ == "__main__":
    main()
