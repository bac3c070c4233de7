#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""matrix: every way in which a new library arrives, tried on a program that calls the old one without pause.

usage: matrix.py --witness PROGRAM [--json FILE] [--only WORD] [--threads N]

For each way, with inotify and with polling: the program must end on the new code without any second change, must not have returned
anything that is neither an old nor a new version, and must live. A way whose tool is not installed is skipped and said to be.
Exit status 0 when all that ran held.
"""

import argparse
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

PATIENCE = 30  # seconds; only a failure waits that long

SOURCE = """
enum { v = VERSION };
static const int before[2048] = {v, v};
int version(void) { return v; }
static const int after[2048] = {[2047] = v};
int witness(void) {
  const volatile int *b = before, *a = after;
  return b[0] == v && b[1] == v && a[2047] == v ? v : -1;
}
"""


class Failure(Exception):
    """What did not hold."""


class Skip(Exception):
    """Why a way was not tried."""


def run(*words, cwd=None, check=True):
    done = subprocess.run([str(w) for w in words], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if check and done.returncode != 0:
        raise Failure(f"{' '.join(map(str, words))}: {done.stdout.strip()[-400:]}")
    return done


def need(tool):
    if shutil.which(tool) is None:
        raise Skip(f"{tool} is not installed")


class Bench:
    """A directory with the library's place in it, and ways to build a version of it elsewhere."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.place = self.directory / "place"
        self.place.mkdir()
        self.library = self.place / "libv.so"
        self.source = self.directory / "v.c"
        self.source.write_text(SOURCE)

    def compile(self, version, output, *, cc="gcc", linker=None, flags=()):
        need(cc)
        if linker:
            need({"bfd": "ld.bfd", "gold": "ld.gold", "lld": "ld.lld", "mold": "mold"}[linker])
            flags = (f"-fuse-ld={linker}", *flags)
        run(cc, "-shared", "-fPIC", "-g", "-O1", f"-DVERSION={version}", *flags, self.source, "-o", output)

    def built(self, version, **how):
        """A finished library beside the place."""
        path = self.directory / f"v{version}.so"
        self.compile(version, path, **how)
        return path

    def project(self, version, output=None):
        """A CMake and Meson project around the same source, with its version; CMake's builds into the directory `output`."""
        (self.directory / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.20)\nproject(v C)\n"
            f"add_library(v SHARED v.c)\ntarget_compile_definitions(v PRIVATE VERSION={version})\n"
            f"set_target_properties(v PROPERTIES LIBRARY_OUTPUT_DIRECTORY {output or self.place})\n"
            'install(TARGETS v LIBRARY DESTINATION "${DESTINATION}")\n'
            'set_target_properties(v PROPERTIES INSTALL_RPATH "/nowhere" BUILD_RPATH "/nowhere/else/longer")\n')
        (self.directory / "meson.build").write_text(
            f"project('v', 'c')\nshared_library('v', 'v.c', c_args: '-DVERSION={version}')\n")


class Witness:
    """The program under load, and the lines that it printed."""

    def __init__(self, program, library, watch, threads, env=None):
        self.process = subprocess.Popen([program, str(library), watch, str(threads)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                        env={**os.environ, **(env or {})})
        self.lines = queue.Queue()
        self.seen = []
        threading.Thread(target=self._read, daemon=True).start()
        self.wait("ready")

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.strip())
        self.lines.put(None)

    def wait(self, wanted):
        """Until it printed this line, or one that starts so."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                line = self.lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise Failure(f"never said \"{wanted}\"; it said {self.seen[-6:]}") from None
            if line is None:
                raise Failure(f"died with status {self.process.wait()}")
            self.seen.append(line)
            if line.startswith("torn"):
                raise Failure(f"ran something that is no version: {line}")
            if line == wanted or line.startswith(wanted + " "):
                return line

    def close(self):
        self.process.stdin.close()
        status = self.process.wait(PATIENCE)
        while (line := self.lines.get(timeout=PATIENCE)) is not None:
            self.seen.append(line)
            if line.startswith("torn"):
                raise Failure(f"ran something that is no version: {line}")
        if status != 0:
            raise Failure(f"ended with status {status}")

    def kill(self):
        self.process.kill()
        self.process.wait()


# ---- the ways. Each starts with version 1 at bench.library, running, and must bring version 2 there, by one change.

WAYS = {}


def way(name, *, watch_path=None, prepare=None, env=None):
    def keep(function):
        WAYS[name] = (function, watch_path, prepare, env)
        return function
    return keep


def linkers():
    for cc in ("gcc", "clang"):
        for linker in ("bfd", "gold", "lld", "mold"):
            def link(bench, witness, cc=cc, linker=linker):
                bench.compile(2, bench.library, cc=cc, linker=linker)
            WAYS[f"{cc}, ld {linker}"] = (link, None, None, None)


linkers()


@way("cmake --build")
def _(bench, witness):
    need("cmake")
    bench.project(2)
    run("cmake", "-S", bench.directory, "-B", bench.directory / "cb", "-G", "Unix Makefiles")
    run("cmake", "--build", bench.directory / "cb")


@way("cmake --build, ninja")
def _(bench, witness):
    need("cmake")
    need("ninja")
    bench.project(2)
    run("cmake", "-S", bench.directory, "-B", bench.directory / "cb", "-G", "Ninja")
    run("cmake", "--build", bench.directory / "cb")


@way("cmake --install")
def _(bench, witness):
    need("cmake")
    bench.project(2, bench.directory / "elsewhere")
    run("cmake", "-S", bench.directory, "-B", bench.directory / "cb", f"-DDESTINATION={bench.place}")
    run("cmake", "--build", bench.directory / "cb")
    run("cmake", "--install", bench.directory / "cb")


def meson_library(bench):
    return bench.directory / "mb" / "libv.so"


def meson_prepare(bench):
    need("meson")
    bench.project(1)
    run("meson", "setup", bench.directory / "mb", bench.directory)
    run("ninja", "-C", bench.directory / "mb")


@way("meson compile", watch_path=meson_library, prepare=meson_prepare)
def _(bench, witness):
    bench.project(2)
    run("meson", "compile", "-C", bench.directory / "mb")


@way("ninja", watch_path=meson_library, prepare=meson_prepare)
def _(bench, witness):
    bench.source.write_text(SOURCE.replace("v = VERSION", "v = VERSION + 1"))
    run("ninja", "-C", bench.directory / "mb")


@way("cp over it")
def _(bench, witness):
    run("cp", bench.built(2), bench.library)


@way("cp -f over a file that can't be written")
def _(bench, witness):
    bench.library.chmod(0o555)
    run("cp", "-f", bench.built(2), bench.library)


@way("cp --remove-destination")
def _(bench, witness):
    run("cp", "--remove-destination", bench.built(2), bench.library)


@way("cat > it")
def _(bench, witness):
    run("sh", "-c", f"cat '{bench.built(2)}' > '{bench.library}'")


@way("cp in 40 slow pieces")
def _(bench, witness):
    data = bench.built(2).read_bytes()
    with open(bench.library, "wb", buffering=0) as file:
        for at in range(0, len(data), len(data) // 40):
            file.write(data[at:at + len(data) // 40])
            time.sleep(0.005)


@way("install")
def _(bench, witness):
    run("install", "-m", "755", bench.built(2), bench.library)


@way("mv")
def _(bench, witness):
    run("mv", bench.built(2), bench.library)


@way("mv across file systems")
def _(bench, witness):
    built = bench.built(2)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        if os.stat(other).st_dev == os.stat(bench.place).st_dev:
            raise Skip("/dev/shm is the same file system")
        run("cp", built, other)
        run("mv", Path(other) / built.name, bench.library)


@way("rsync")
def _(bench, witness):
    need("rsync")
    run("rsync", "--ignore-times", bench.built(2), bench.library)


@way("rsync --inplace")
def _(bench, witness):
    need("rsync")
    run("rsync", "--inplace", "--no-whole-file", "--ignore-times", bench.built(2), bench.library)


def then_in_place(bench, witness, *words):
    """Version 2 by mv, and then a tool that changes that file: one generation more, of the same version."""
    run("mv", bench.built(2), bench.library)
    witness.wait("version 2")
    run(*words)
    witness.wait("generation 3")


@way("strip")
def _(bench, witness):
    then_in_place(bench, witness, "strip", bench.library)


@way("objcopy")
def _(bench, witness):
    note = bench.directory / "note"
    note.write_text("a note")
    # A new section that the loader maps would change what runs; this one does not: only the section table is other.
    then_in_place(bench, witness, "objcopy", "--add-section", f".note.x={note}", bench.library)


@way("patchelf")
def _(bench, witness):
    need("patchelf")
    then_in_place(bench, witness, "patchelf", "--set-rpath", "/nowhere", bench.library)


@way("tar")
def _(bench, witness):
    built = bench.built(2)
    archive = bench.directory / "a.tar"
    run("tar", "-C", bench.directory, "--transform", f"s/{built.name}/{bench.library.name}/", "-cf", archive, built.name)
    run("tar", "-C", bench.place, "-xf", archive)


@way("hard link")
def _(bench, witness):
    run("ln", "-f", bench.built(2), bench.library)


def symlink_prepare(bench):
    bench.compile(1, bench.place / "one.so")
    bench.library.unlink()
    bench.library.symlink_to("one.so")


@way("a symlink switched", prepare=symlink_prepare)
def _(bench, witness):
    bench.compile(2, bench.place / "two.so")
    run("ln", "-sfn", "two.so", bench.library)


def directory_link_prepare(bench):
    for number in (1, 2):
        (bench.directory / f"release{number}").mkdir()
        bench.compile(number, bench.directory / f"release{number}" / "libv.so")
    (bench.directory / "current").symlink_to("release1")


@way("a directory's symlink switched", watch_path=lambda b: b.directory / "current" / "libv.so", prepare=directory_link_prepare)
def _(bench, witness):
    run("ln", "-sfn", "release2", bench.directory / "current")


def versioned_prepare(bench):
    bench.library.unlink()
    bench.compile(1, bench.place / "libv.so.1.0")
    (bench.place / "libv.so.1").symlink_to("libv.so.1.0")
    bench.library.symlink_to("libv.so.1")


@way("a versioned library and its symlinks", prepare=versioned_prepare)
def _(bench, witness):
    bench.compile(2, bench.place / "libv.so.1.1")
    (bench.place / "libv.so.1").unlink()
    (bench.place / "libv.so.1").symlink_to("libv.so.1.1")
    bench.library.unlink()
    bench.library.symlink_to("libv.so.1")


def cmake_versioned(bench, version):
    bench.project(version)
    with open(bench.directory / "CMakeLists.txt", "a") as file:
        file.write(f"set_target_properties(v PROPERTIES VERSION 1.{version} SOVERSION 1)\n")
    run("cmake", "-S", bench.directory, "-B", bench.directory / "cb", "-G", "Ninja")
    run("cmake", "--build", bench.directory / "cb")


def cmake_versioned_prepare(bench):
    need("cmake")
    need("ninja")
    bench.library.unlink()
    cmake_versioned(bench, 1)


@way("ninja, a versioned library and its symlinks", prepare=cmake_versioned_prepare)
def _(bench, witness):
    cmake_versioned(bench, 2)


def cmake_in_build_directory(bench, version):
    bench.project(version, bench.directory / "cb")
    run("cmake", "-S", bench.directory, "-B", bench.directory / "cb")
    run("cmake", "--build", bench.directory / "cb")


@way("rm -rf of the build directory, and cmake anew", watch_path=lambda b: b.directory / "cb" / "libv.so",
     prepare=lambda b: (need("cmake"), cmake_in_build_directory(b, 1)))
def _(bench, witness):
    shutil.rmtree(bench.directory / "cb")
    cmake_in_build_directory(bench, 2)


@way("rm -rf of its directory, and a rebuild")
def _(bench, witness):
    built = bench.built(2)
    shutil.rmtree(bench.place)
    bench.place.mkdir()
    run("cp", built, bench.library)


@way("rm -rf of two directories, and a rebuild later", watch_path=lambda b: b.directory / "a" / "b" / "libv.so",
     prepare=lambda b: ((b.directory / "a" / "b").mkdir(parents=True), b.compile(1, b.directory / "a" / "b" / "libv.so")))
def _(bench, witness):
    built = bench.built(2)
    shutil.rmtree(bench.directory / "a")
    witness.wait("waiting")
    (bench.directory / "a").mkdir()
    (bench.directory / "a" / "b").mkdir()
    run("mv", built, bench.directory / "a" / "b" / "libv.so")


@way("another directory moved into its place")
def _(bench, witness):
    other = bench.directory / "other"
    other.mkdir()
    bench.compile(2, other / "libv.so")
    bench.place.rename(bench.directory / "gone")
    other.rename(bench.place)


def killed_linkers():
    for linker in ("bfd", "gold", "lld", "mold"):
        def kill(bench, witness, linker=linker):
            need({"bfd": "ld.bfd", "gold": "ld.gold", "lld": "ld.lld", "mold": "mold"}[linker])
            words = ["gcc", "-shared", "-fPIC", f"-fuse-ld={linker}", bench.directory / "v3.o", "-o", bench.library]
            run("gcc", "-c", "-fPIC", "-g", "-DVERSION=3", bench.source, "-o", bench.directory / "v3.o")
            for delay in (0.002, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.03):
                process = subprocess.Popen([str(w) for w in words], start_new_session=True,
                                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(delay)  # at any point of its work; one that was done brings version 3
                os.killpg(process.pid, signal.SIGKILL)  # the compiler's driver and the linker
                process.wait()
            bench.compile(2, bench.library)
        WAYS[f"ld {linker} killed at work, then a good one"] = (kill, None, None, None)


killed_linkers()


@way("what a killed ld leaves, then a good one")
def _(bench, witness):
    # The final name, a part of the content, no ELF header yet.
    data = bench.built(3).read_bytes()
    bench.library.unlink()
    bench.library.write_bytes(bytes(4096) + data[4096:len(data) // 2])
    witness.wait("waiting")
    bench.compile(2, bench.library)


def failed_links():
    for linker in ("bfd", "gold", "lld", "mold"):
        def fail(bench, witness, linker=linker):
            need({"bfd": "ld.bfd", "gold": "ld.gold", "lld": "ld.lld", "mold": "mold"}[linker])
            bad = bench.directory / "bad.c"
            bad.write_text("int missing(void); int version(void) { return missing(); }")
            done = run("gcc", "-shared", "-fPIC", f"-fuse-ld={linker}", "-Wl,-z,defs", bad, "-o", bench.library,
                       check=False)
            if done.returncode == 0:
                raise Failure("the link was meant to fail")
            bench.compile(2, bench.library)
        WAYS[f"a failed link by ld {linker}, then a good one"] = (fail, None, None, None)


failed_links()


@way("two rebuilds within a millisecond")
def _(bench, witness):
    three, two = bench.built(3), bench.built(2)
    os.rename(three, bench.library)
    os.rename(two, bench.library)


@way("mtime set back")
def _(bench, witness):
    built = bench.built(2)
    run("touch", "-d", "1999-12-31", built)
    run("mv", built, bench.library)


@way("mtime, size and name as before")
def _(bench, witness):
    before = bench.library.stat()
    built = bench.built(2)
    os.utime(built, ns=(before.st_atime_ns, before.st_mtime_ns))
    if built.stat().st_size != before.st_size:
        raise Failure("the sizes were meant to be equal")
    run("cp", "-p", built, bench.library)


def faketime_library():
    for path in Path("/usr/lib").glob("*/faketime/libfaketime.so.1"):
        return str(path)
    return None


@way("the program's clock set back a day", env=lambda: {"LD_PRELOAD": faketime_library(), "FAKETIME": "-1d"}
     if faketime_library() else None)
def _(bench, witness):
    if faketime_library() is None:
        raise Skip("libfaketime is not installed")
    run("cp", bench.built(2), bench.library)


def attempt(name, watch, program, threads):
    function, watch_path, prepare, env = WAYS[name]
    with tempfile.TemporaryDirectory(prefix="autoreload-writers-") as directory:
        bench = Bench(directory)
        bench.compile(1, bench.library)
        if prepare:
            prepare(bench)
        witness = Witness(program, watch_path(bench) if watch_path else bench.library, watch, threads, env() if env else None)
        try:
            if "version 1" not in witness.seen:
                witness.wait("version 1")
            start = time.monotonic()
            function(bench, witness)
            if "version 2" not in witness.seen:
                witness.wait("version 2")
            seconds = time.monotonic() - start
            witness.close()
        finally:
            witness.kill()
        versions = [line for line in witness.seen if line.startswith("version")]
        return {"seconds": round(seconds, 3), "versions": [int(v.split()[1]) for v in versions],
                "refused": sum(line.startswith("refused") for line in witness.seen)}


TOOLS = {"gcc": "gcc", "clang": "clang", "ld.bfd": "ld.bfd", "ld.gold": "ld.gold", "ld.lld": "ld.lld", "mold": "mold",
         "cmake": "cmake", "ninja": "ninja", "meson": "meson", "cp, mv, install": "cp", "rsync": "rsync",
         "strip, objcopy": "strip", "patchelf": "patchelf", "tar": "tar"}


def tools():
    """The first line that each says of its version."""
    said = {}
    for name, tool in TOOLS.items():
        if shutil.which(tool):
            said[name] = run(tool, "--version", check=False).stdout.splitlines()[0].strip()
    return said


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--witness", required=True)
    parser.add_argument("--json")
    parser.add_argument("--only", default="")
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    rows, failed = [], 0
    names = [name for name in WAYS if chosen.only in name]
    total = 2 * len(names)
    for name in names:
        for watch in ("inotify", "poll"):
            row = {"way": name, "watch": watch}
            try:
                row.update(attempt(name, watch, chosen.witness, chosen.threads), result="held")
            except Skip as reason:
                row.update(result="skipped", why=str(reason))
            except (Failure, OSError, queue.Empty, subprocess.TimeoutExpired) as reason:
                row.update(result="FAILED", why=str(reason))
                failed += 1
            rows.append(row)
            why = f": {row['why']}" if "why" in row else ""
            print(f"{len(rows):3} of {total}  {row['result']:8} {watch:8} {name}{why}", flush=True)
    count = {result: sum(row["result"] == result for row in rows) for result in ("held", "FAILED", "skipped")}
    print(f"{count['held']} held, {count['FAILED']} failed, {count['skipped']} skipped")
    if chosen.json:
        Path(chosen.json).write_text(json.dumps({"tools": tools(), "rows": rows}, indent=1) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
