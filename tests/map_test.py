#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""map_test: docs/architecture.md, CONTRIBUTING.md and comments name what is there, the map leaves no directory out, the
core stands apart and is small, and links lead somewhere."""

import fnmatch
import os
import re
import subprocess
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MOST_OF_THE_CORE = 3000  # lines that are neither blank nor a comment
MOST_OF_A_FILE = 350  # all of its lines
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


def code_lines(text):
    """How many lines are neither blank nor a comment. A comment behind code does not count against its line."""
    count, inside = 0, False
    for line in text.splitlines():
        line = line.strip()
        opens = not inside and line.startswith("/*")
        if line and not inside and not opens and not line.startswith("//"):
            count += 1
        inside = (inside or opens) and "*/" not in line
    return count


def includes(source):
    return re.findall(r'^#include "([^"]+)"', read(source), re.M)


def column(table, which):
    """The patterns between backticks in a column of a table."""
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| ")]
    return [pattern for row in rows for pattern in re.findall(r"`([\w/.*]+pp)`", row[which])]


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

    def core(self):
        """Its files, and the headers by which it knows the rest."""
        text = read("docs/architecture.md")
        section = text[text.index("## The core"):text.index("## Data")]
        own, seams = section[:section.index("| part |")], section[section.index("| part |"):]
        files = set()
        for pattern in column(own, 2):
            # A star stands for no slash, as in a shell.
            found = [name for name in self.files if fnmatch.fnmatch(name, pattern) and name.count("/") == pattern.count("/")]
            self.assertNotEqual(found, [], pattern)
            files.update(found)
        return files, set(column(seams, 2))

    def test_has_a_core_that_can_be_read(self):
        files, _ = self.core()
        self.assertGreater(len(files), 30)
        lines = {name: code_lines(read(name)) for name in files}
        self.assertLessEqual(sum(lines.values()), MOST_OF_THE_CORE, sorted(lines.items()))

    def test_has_a_core_that_knows_the_rest_by_its_seams(self):
        files, seams = self.core()
        self.assertEqual(seams - self.files, set())
        known = set()
        for name in sorted(files):
            for other in includes(name):
                with self.subTest(file=name, includes=other):
                    self.assertTrue(other in files or other in seams or other.startswith(("elf/", "system/")))
                known.add(other)
        self.assertEqual(seams - known - files, set(), "seams that nothing needs")

    def test_counts_what_is_neither_blank_nor_a_comment(self):
        self.assertEqual(code_lines("int a;  // one\n\n  // no\n/* no\n no */\nint b;\n/* no */\n"), 2)

    def test_has_no_long_file_in_the_engine(self):
        sources = [name for name in self.files if re.match(r"reload/.*pp$", name)]
        self.assertGreater(len(sources), 100)
        for name in sources:
            with self.subTest(file=name):
                self.assertLessEqual(len(read(name).splitlines()), MOST_OF_A_FILE)

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
