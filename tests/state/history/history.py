#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# history: builds libraries of Debian's sources as each patch of their history left them, and writes the page that says
# what became of their state. Needs Debian's packages dpkg-dev, patch, gcc, make, autoconf, automake and libtool.
import argparse
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys

COMMITS = 10
SUITE = "bookworm"
APT = pathlib.Path(__file__).resolve().parents[2] / "debian_apt"


@dataclasses.dataclass
class Library:
    name: str
    package: str
    what: str  # that is remembered
    sources: tuple  # directories, or patterns of files, of which the library is made
    configure: str
    make: str
    made: str  # the file
    prepare: str = ""


LIBRARIES = [
    Library(
        "libxml2",
        "libxml2",
        "a catalog of entries on the heap, a registered encoding with two functions of the host's, four input functions of the host's, a default that was changed",
        (r"[A-Za-z0-9]+\.c$", r"include/libxml/"),
        "./configure --disable-static --without-python --without-lzma --without-zlib --without-icu",
        "make -j2 libxml2.la",
        ".libs/libxml2.so",
    ),
    Library(
        "libtiff",
        "tiff",
        "a list of registered codecs on the heap with functions of the host's, the functions for errors, warnings and tags",
        (r"libtiff/",),
        "./configure --disable-static --disable-cxx --disable-jbig --disable-lzma --disable-zstd --disable-webp "
        "--disable-jpeg --disable-lerc --disable-libdeflate --disable-zlib",
        "make -j2 -C port && make -j2 -C libtiff libtiff.la",
        "libtiff/.libs/libtiff.so",
        "autoreconf -fi",
    ),
    Library(
        "SDL",
        "libsdl1.2",
        "an open screen, whose driver is a struct on the heap full of the library's functions; what is drawn on it, a queue of events, the window's title, key repeat",
        (r"src/(?!.*/(x11|gapi|nanox|ps2gs|ps3|windib|windx5|fbcon|bsd)/)", r"include/"),
        "./configure --disable-static --disable-video-x11 --disable-video-fbcon --disable-video-directfb "
        "--disable-video-aalib --disable-video-caca --disable-alsa --disable-pulseaudio --disable-oss --disable-esd "
        "--disable-arts --disable-nas --disable-video-opengl --disable-cdrom --disable-joystick --disable-assembly",
        "make -j2",
        "build/.libs/libSDL.so",
    ),
]


def shell(command, directory, log):
    with open(log, "a", encoding="utf-8") as out:
        done = subprocess.run(["sh", "-c", command], cwd=directory, stdout=out, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        sys.exit(f"history: `{command}` in {directory} failed: see {log}")


def get(directory):
    """Fetches the source packages."""
    missing = [library.package for library in LIBRARIES if not list(directory.glob(f"{library.package}_*.dsc"))]
    if missing:
        words = [APT, directory / "apt", "source", "--download-only", *missing]
        subprocess.run(words, cwd=directory, check=True, env={**os.environ, "SUITE": SUITE})


def touched(patch):
    """The C files that a patch changes."""
    names = re.findall(r"^\+\+\+ (?:[ab]/|[^/\s]+/)?(\S+)", patch, re.MULTILINE)
    return [name for name in names if name.endswith((".c", ".h"))]


def title(patch, name):
    found = re.search(r"^(?:Subject|Description): *(?:\[PATCH[^]]*\] *)?(.+(?:\n [^\n]+)*)", patch, re.MULTILINE)
    text = found.group(1) if found else re.sub(r"\.(patch|diff)$", "", name)
    return " ".join(text.split())[:100].replace("|", "/").replace("`", "'")


def build(library, directory):
    """Makes directory/NAME/00.so, and one more for each patch that changes what is compiled, and commits.txt."""
    into = directory / library.name
    if (into / "commits.txt").exists():
        return
    tree = directory / f"{library.name}.tree"
    log = directory / f"{library.name}.log"
    for old in (into, tree):
        shutil.rmtree(old, ignore_errors=True)
    into.mkdir(parents=True)
    source = next(directory.glob(f"{library.package}_*.dsc"))
    shell(f"dpkg-source --skip-patches -x '{source}' '{tree}'", directory, log)
    if library.prepare:
        shell(library.prepare, tree, log)
    shell(f"{library.configure} CFLAGS='-g -O2'", tree, log)

    commits = []

    def keep(what):
        shell(library.make, tree, log)
        made = (tree / library.made).read_bytes()
        if commits and made == (into / f"{len(commits) - 1:02}.so").read_bytes():
            return
        (into / f"{len(commits):02}.so").write_bytes(made)
        commits.append(what)

    keep(f"{source.stem.replace('_', ' ')} as its authors released it")
    patches = tree / "debian" / "patches"
    for name in (patches / "series").read_text(encoding="utf-8").split("\n"):
        if len(commits) > COMMITS:
            break
        name = name.split("#")[0].strip()
        if not name:
            continue
        text = (patches / name).read_text(encoding="utf-8", errors="replace")
        files = touched(text)
        if not any(re.match(pattern, file) for file in files for pattern in library.sources):
            continue
        dry = f"patch -p1 --force --dry-run < 'debian/patches/{name}'"
        if subprocess.run(["sh", "-c", dry], cwd=tree, capture_output=True, check=False).returncode != 0:
            continue
        shell(f"patch -p1 --force < 'debian/patches/{name}'", tree, log)
        keep(title(text, name))
    (into / "commits.txt").write_text("\n".join(commits) + "\n", encoding="utf-8")


def grouped(remarks):
    """Remarks of one kind as one."""
    kinds = {}
    for remark in remarks:
        fate, rest = remark.split(" ", 1)
        name, text = rest.split(": ", 1)
        kinds.setdefault((fate, text), []).append(name)
    return [
        f"{fate} {', '.join(f'`{name}`' for name in names[:2])}{f' and {len(names) - 2} more' if len(names) > 2 else ''}: {text}"
        for (fate, text), names in kinds.items()
    ]


def page(tool, directory, into):
    """Carries the state, and says what became of it."""
    lines = [
        "<!-- SPDX-License-Identifier: MIT -->",
        "# State through the history of real libraries",
        "",
        "Written by `./dev state-history`. Three C libraries of Debian's sources are built as their authors released them, then again after each",
        f"patch that Debian applied to what is compiled ({COMMITS} for each), with `gcc -g -O2`. A program with the engine and the [carrier](state.md#automatic) loads the first",
        "build, has the library remember things, and goes on through all the others in one process. After each reload it asks for everything that",
        "was remembered before, has more remembered, and lets the library work on it. The old build is unloaded each time, with its destructors.",
        "",
    ]
    good = True
    for library in LIBRARIES:
        commits = (directory / library.name / "commits.txt").read_text(encoding="utf-8").splitlines()
        ran = subprocess.run([tool, library.name, directory / library.name], capture_output=True, text=True, check=False)
        rows = [line.split("\t") for line in ran.stdout.splitlines()]
        lines += [f"## {library.name}", "", f"It remembers: {library.what}.", ""]
        lines += [f"Begins with {commits[0]}.", "", "| patch | variables kept | all is remembered | what is said |", "| --- | --- | --- | --- |"]
        for number, commit in enumerate(commits[1:], 1):
            row = rows[number - 1] if number <= len(rows) else ["", "-", "no", f"ended the program: {ran.returncode}"]
            lines.append(f"| {commit} | {row[1]} | {row[2]} | {'; '.join(grouped(row[3:]))} |")
            good = good and row[2] == "yes"
        good = good and ran.returncode == 0
        lines.append("")
    lines += pathlib.Path(__file__).with_name("not_carried.md").read_text(encoding="utf-8").splitlines()[1:]
    into.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if not good:
        sys.exit("history: not everything was remembered: see " + str(into))


def main():
    parser = argparse.ArgumentParser(description="state through the history of real libraries")
    parser.add_argument("tool", help="the program state_history_tool")
    parser.add_argument("directory", help="for sources and builds; what is there is not made again")
    parser.add_argument("page", help="docs/state-history.md")
    asked = parser.parse_args()
    directory = pathlib.Path(asked.directory).resolve()
    directory.mkdir(parents=True, exist_ok=True)
    get(directory)
    for library in LIBRARIES:
        build(library, directory)
    page(asked.tool, directory, pathlib.Path(asked.page))


main()
