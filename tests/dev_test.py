#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""dev_test: what ./dev says to a person: its help, its verdicts, and what it answers to a misspelt word."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def dev(*words):
    done = subprocess.run(["./dev", *words], cwd=ROOT, text=True, capture_output=True, check=False)
    return done.returncode, done.stdout, done.stderr


class Help(unittest.TestCase):
    def test_has_every_command_and_how_long_it_takes(self):
        with open(os.path.join(ROOT, "dev"), encoding="utf-8") as script:
            cases = script.read().split("case $command in")[1]
        commands = re.findall(r"^  ([a-z][a-z-]*)\b[^)\n]*\)", cases, flags=re.MULTILINE)
        self.assertIn("demo", commands)
        status, text, _ = dev("help")
        self.assertEqual(status, 0)
        entries = re.split(r"^  (?=[a-z])", text, flags=re.MULTILINE)[1:]
        for command in commands:
            with self.subTest(command=command):
                described = [entry for entry in entries if entry.startswith(command + " ")]
                self.assertTrue(described)
                if command != "help":
                    for entry in described:
                        self.assertRegex(entry, r"\(about \d+ (s|min)")


class Demo(unittest.TestCase):
    def test_takes_a_misspelt_backend_for_that_and_suggests_the_nearest(self):
        for word, meant in (("rai", "raii"), ("symbol", "symbols"), ("row", "raw")):
            with self.subTest(word=word):
                status, out, said = dev("demo", word)
                self.assertEqual(status, 2)
                self.assertEqual(out, "")
                self.assertIn(f'"{word}" is no backend', said)
                self.assertIn(f"Did you mean {meant}?", said)

    def test_suggests_nothing_where_nothing_is_near(self):
        status, _, said = dev("demo", "xyz")
        self.assertEqual(status, 2)
        self.assertIn("raii raw symbols", said)
        self.assertNotIn("Did you mean", said)


class Verdict(unittest.TestCase):
    def setUp(self):
        if not shutil.which("clang-format-14"):
            self.skipTest("no clang-format-14")
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        shutil.copy(os.path.join(ROOT, ".clang-format"), self.directory.name)

    def file(self, text):
        path = os.path.join(self.directory.name, "one file.c")
        with open(path, "w", encoding="utf-8") as source:
            source.write(text)
        return path

    def test_ends_the_check_of_well_formatted_sources(self):
        status, _, said = dev("format", "--check", self.file("int one(void) { return 1; }\n"))
        self.assertEqual(status, 0)
        self.assertIn("good: all 1 files are formatted", said.splitlines()[-1])

    def test_ends_the_check_of_others(self):
        path = self.file("int   one(void){return 1;}\n")
        status, _, said = dev("format", "--check", path)
        self.assertEqual(status, 1)
        self.assertIn("./dev format mends", said.splitlines()[-1])
        status, _, said = dev("format", path)
        self.assertEqual(status, 0)
        with open(path, encoding="utf-8") as source:
            self.assertEqual(source.read(), "int one(void) { return 1; }\n")


if __name__ == "__main__":
    unittest.main()
