#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# debugger_test: gdb, perf, addr2line and eu-stack find their way in code that is being replaced.
#
# usage: debugger_test.py DEMO CLIB-DIRECTORY COMPILER...    (the demo must have debug information)
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from shlex import quote as quoted

HERE = os.path.dirname(os.path.abspath(__file__))
DEMO, CLIB, *COMPILER = sys.argv[1:] or ["", ""]
PATIENCE = 60  # seconds; only a hang needs as many
EDIT = """#include <string.h>


static int32_t count_twice(int32_t rounds);
"""
NEW_FUNCTION = """
__attribute__((noinline)) static int32_t count_twice(int32_t rounds) { return count_to(rounds) + count_to(rounds); }
"""


def output_of(*command, **options):
    return subprocess.run(
        command, check=True, text=True, timeout=PATIENCE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options
    ).stdout


class Debugger(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="autoreload-debugger-")
        self.addCleanup(shutil.rmtree, self.directory)
        with open(os.path.join(HERE, "work.c")) as file:
            self.first = file.read()
        self.second = self.first.replace("/* here comes the edit */\n", EDIT)
        self.second = self.second.replace("\nint32_t foo", NEW_FUNCTION + "\nint32_t foo")
        self.second = self.second.replace("count_to(2000000) / 500000", "count_twice(2500000) / 1000000")
        self.library = self.path("libwork.so")
        # So much debug information that the engine copies it late unless a debugger is there.
        names = [f"one_of_many_names_that_fill_the_debug_information_{i}" for i in range(3000)]
        self.write("bulk.h", "enum bulk {" + ",\n".join(names) + "};\n")
        self.write("second.c", self.second)
        self.write("work.c", self.first)
        self.compile = shlex.join(
            [*COMPILER, "-g", "-O1", "-fPIC", "-shared", "-Wl,--build-id", f"-I{CLIB}", f"-I{self.directory}"])
        output_of("sh", "-c", f"{self.compile} -o {quoted(self.library)} {quoted(self.path('work.c'))}")
        self.assertGreater(os.path.getsize(self.library), 150_000)

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)

    def rebuild(self):
        # As an editor and a linker do it: the same name for the source, a new file for the library.
        library, fresh, source = quoted(self.library), quoted(self.library + ".new"), quoted(self.path("work.c"))
        return (
            f"cp {quoted(self.path('second.c'))} {source} && "
            f"{self.compile} -o {fresh} {source} && mv {fresh} {library}"
        )

    def start_demo(self, *prefix):
        """The demo, busy in the library nearly all the time; its lines of standard output can be read."""
        demo = subprocess.Popen(
            [*prefix, DEMO, self.library, "--interval", "1ms"], text=True, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip

        def end():
            demo.kill()
            demo.communicate()

        self.addCleanup(end)
        self.read_to(demo, "foo() -> 4")
        return demo

    def read_to(self, demo, wanted):
        for line in demo.stdout:
            if line.rstrip("\n") == wanted:
                return
        self.fail(f"the demo never printed {wanted}")

    def line_of(self, source, text):
        return source[: source.index(text)].count("\n") + 1

    def need(self, tool):
        if shutil.which(tool) is None:
            self.skipTest(f"{tool} is not installed")

    def sections(self, text):
        return re.split(r"^== .* ==$", text, flags=re.MULTILINE)

    def test_a_breakpoint_is_hit_before_and_after_a_reload_at_the_new_lines(self):
        self.need("gdb")
        said = output_of(
            "gdb", "-nx", "-batch", "-ex", f'set $rebuild = "{self.rebuild()}"', "-x", os.path.join(HERE, "session.gdb"),
            "--args", DEMO, self.library, "--interval", "20ms", "--rounds", "500",
        )  # fmt: skip
        parts = self.sections(said)
        self.assertEqual(len(parts), 4, said)
        _, first, second, third = parts
        old_line = self.line_of(self.first, "  volatile int32_t sum")
        new_line = self.line_of(self.second, "  volatile int32_t sum")
        self.assertNotEqual(old_line, new_line)
        # Names and lines of the library's static function, of its exported function, and of the host below them.
        self.assertRegex(first, rf"#0 +count_to \(rounds=.*2000000\) at .*work\.c:{old_line}\n")
        self.assertRegex(first, r"#1 .*in foo \(\) at .*work\.c:\d+\n")
        self.assertRegex(first, r"#\d+ +(0x[0-9a-f]+ in )?main \(")
        self.assertRegex(first, r"/proc/\d+/fd/\d+")
        self.assertRegex(second, rf"#0 +count_to \(rounds=.*2500000\) at .*work\.c:{new_line}\n")
        self.assertRegex(second, r"#1 .*in count_twice \(rounds=.*2500000\) at .*work\.c:\d+\n")
        self.assertRegex(second, r"#2 .*in foo \(\) at .*work\.c:\d+\n")
        # The text is the new file's, not what gdb had shown before.
        self.assertIn(f"{new_line}\t  volatile int32_t sum = 0;\n", second)
        self.assertRegex(third, r"#0 +count_twice \(rounds=.*2500000\) at .*work\.c")

    def test_a_debugger_that_comes_later_sees_the_generation_that_runs(self):
        self.need("gdb")
        demo = self.start_demo()
        output_of("sh", "-c", self.rebuild())
        self.read_to(demo, "foo() -> 5")
        said = output_of(
            "gdb", "-nx", "-batch", "-p", str(demo.pid), "-ex", "set width 0", "-ex", "break count_to", "-ex", "continue",
            "-ex", "backtrace", "-ex", "detach",
        )  # fmt: skip
        self.assertRegex(said, r"#0 +count_to \(rounds=.*2500000\) at .*work\.c:\d+\n")
        self.assertRegex(said, r"#1 .*in count_twice \(rounds=.*2500000\) at .*work\.c:\d+\n")

    def test_an_address_in_a_reloaded_library_has_a_name_and_a_line(self):
        demo = self.start_demo()
        output_of("sh", "-c", self.rebuild())
        self.read_to(demo, "foo() -> 5")
        directory = f"/proc/{demo.pid}/fd"
        symbols = [line.split() for line in output_of("nm", self.library).splitlines() if " t " in line]
        addresses = {name: address for address, _, name in symbols}
        wanted = {"count_to", "count_twice"}
        names = set()
        deadline = time.monotonic() + PATIENCE
        # The old generation may leave at any moment; the new one's debug information comes after its publication.
        while names != wanted and time.monotonic() < deadline:
            for number in os.listdir(directory):
                link = f"{directory}/{number}"
                if "memfd:libwork.so" not in self.target_of(link):
                    continue
                for function in wanted:
                    said = subprocess.run(
                        ["addr2line", "-f", "-e", link, addresses[function]],
                        text=True, timeout=PATIENCE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                    ).stdout  # fmt: skip
                    names.update(re.findall(rf"({function})\n.*work\.c:\d+", said))
        self.assertEqual(names, wanted)

    def target_of(self, link):
        try:
            return os.readlink(link)
        except FileNotFoundError:
            return ""

    def test_eu_stack_names_the_exported_functions_of_a_reloaded_library(self):
        self.need("eu-stack")
        demo = self.start_demo()
        output_of("sh", "-c", self.rebuild())
        self.read_to(demo, "foo() -> 5")
        said = ""
        for _ in range(200):  # a sample is inside the library nearly always
            said = subprocess.run(
                ["eu-stack", "-p", str(demo.pid)], text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            ).stdout
            if re.search(r"#\d+ +0x[0-9a-f]+ foo\n", said):
                break
        self.assertRegex(said, r"#\d+ +0x[0-9a-f]+ foo\n")

    def test_perf_names_the_functions_of_both_generations(self):
        self.need("perf")
        data = self.path("perf.data")
        cache = self.path("cache")
        record = ["perf", "record", "--quiet", "--buildid-mmap", "-e", "cpu-clock", "-F", "499", "-o", data]
        trial = subprocess.run([*record, "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if trial.returncode != 0:
            self.skipTest("perf may not record here")
        # Each build goes into perf's cache, by its build-id, before the next one takes its place.
        output_of("perf", "--buildid-dir", cache, "buildid-cache", "--add", self.library)
        demo = self.start_demo(*record, "--no-buildid", "--")
        output_of("sh", "-c", self.rebuild())
        output_of("perf", "--buildid-dir", cache, "buildid-cache", "--add", self.library)
        self.read_to(demo, "foo() -> 5")
        for _ in range(20):
            self.read_to(demo, "foo() -> 5")
        demo.terminate()  # perf passes it on, and writes what it has
        demo.communicate(timeout=PATIENCE)
        said = output_of("perf", "--buildid-dir", cache, "script", "-i", data, "-F", "ip,sym,dso")
        names = set(re.findall(r"[0-9a-f]+ (\w+).* \(/memfd:libwork\.so", said))
        self.assertIn("count_to", names)
        lines = [line for line in said.splitlines() if "memfd:libwork.so" in line]
        unknown = [line for line in lines if "[unknown]" in line]
        self.assertEqual(unknown, [], f"{len(unknown)} of {len(lines)} samples have no name")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
