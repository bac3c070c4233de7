#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""map_test: docs/architecture.md, CONTRIBUTING.md and comments name what is there, the map leaves no directory out, and
links lead somewhere."""

import fnmatch
import os
import re
import subprocess
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ENDINGS = ("cpp", "hpp", "c", "h", "md", "py", "sh", "build", "txt")


def read(page):
    with open(os.path.join(ROOT, page), encoding="utf-8") as text:
        return text.read()


def tree():
    """Every file and directory (with a slash at its end) from the root. What a build makes is none of it."""
    found = set()
    for here, directories, files in os.walk(ROOT):
        directories[:] = [name for name in directories
                          if not name.startswith(".") and name != "__pycache__"
                          and not os.path.exists(os.path.join(here, name, "meson-private"))]
        for name in directories:
            found.add(os.path.relpath(os.path.join(here, name), ROOT) + "/")
        for name in files:
            found.add(os.path.relpath(os.path.join(here, name), ROOT))
    return found


def directories():
    """Those of the project; a checkout may have others beside them, and an archive has no Git to ask."""
    try:
        listed = subprocess.run(["git", "ls-files"], cwd=ROOT, text=True, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return {name for name in tree() if name.endswith("/")}
    return {"/".join(parts[:depth]) + "/" for parts in (file.split("/") for file in listed.splitlines())
            for depth in range(1, len(parts)) if not parts[0].startswith(".")}


def named(text):
    """What stands between backticks and looks like a file or a directory of this tree."""
    for word in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text):
        if re.fullmatch(r"[\w.*-]+(/[\w.*-]+)*/", word) or re.fullmatch(r"[\w.*/-]*\w\.(%s)" % "|".join(ENDINGS), word):
            yield word


def is_there(name, files):
    return any(fnmatch.fnmatch("/" + file, "*/" + name) for file in files)


class Map(unittest.TestCase):
    files = tree()

    def test_names_only_what_is_there(self):
        for page in ("docs/architecture.md", "CONTRIBUTING.md"):
            names = list(named(read(page)))
            self.assertGreater(len(names), 20, page)
            for name in names:
                if name.startswith("build/") or "mine" in name:  # what a build makes, and a contributor's own
                    continue
                with self.subTest(page=page, name=name):
                    self.assertTrue(is_there(name, self.files))

    def test_comments_name_only_what_is_there(self):
        tops = "|".join(name.rstrip("/") for name in directories() if re.fullmatch(r"\w+/", name) and name != "tests/")
        sources = [file for file in self.files
                   if re.match(rf"({tops})/", file) and not file.startswith("subprojects/") and file.endswith(("cpp", "hpp"))]
        self.assertGreater(len(sources), 100)
        for source in sources:
            for name in re.findall(rf"(?<![\w/])(?:{tops})/[\w/]+\.[ch]pp\b", read(source)):
                with self.subTest(source=source, name=name):
                    self.assertIn(name, self.files)

    def test_tells_a_name_that_is_gone(self):
        self.assertEqual(list(named("`reload/pipeline.cpp`, `dlopen`, `gone/`, `lib->foo()`")),
                         ["reload/pipeline.cpp", "gone/"])
        self.assertTrue(is_there("pipeline.cpp", self.files))
        self.assertFalse(is_there("line.cpp", self.files))
        self.assertFalse(is_there("gone/", self.files))

    def test_has_every_directory(self):
        text = read("docs/architecture.md")
        table = text[text.index("## Directories"):text.index("## Data")]
        listed = set(re.findall(r"`([\w/]+/)`", table))
        there = [name for name in directories() if re.fullmatch(r"\w+/", name)]
        self.assertIn("reload/", there)
        for name in there:
            with self.subTest(directory=name):
                self.assertTrue(any(one.startswith(name) for one in listed))

    def test_has_every_stages_directory(self):
        text = read("docs/architecture.md")
        there = [name for name in directories() if re.fullmatch(r"reload/\w+/", name)]
        self.assertIn("reload/watch/", there)
        for name in there:
            with self.subTest(directory=name):
                self.assertIn(name[len("reload/"):], text)

    def test_leads_somewhere_by_every_link(self):
        pages = [file for file in self.files if re.fullmatch(r"(docs/)?[\w-]+\.md", file)]
        self.assertIn("README.md", pages)
        for page in pages:
            for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", read(page)):
                if "://" in target:
                    continue
                with self.subTest(page=page, target=target):
                    self.assertTrue(os.path.exists(os.path.join(ROOT, os.path.dirname(page), target)))


if __name__ == "__main__":
    unittest.main()
