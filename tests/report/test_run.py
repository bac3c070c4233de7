# SPDX-License-Identifier: MIT
# test_run: real programs are run, and what they do badly is written down.

import contextlib
import io
import json
import pathlib
import tempfile
import unittest

import support
from autoreload_report import run


def program_that(*lines):
    return "#!/bin/sh\nout=${1#--benchmark_out=}\n" + "\n".join(lines) + "\n"


GOOD = program_that('''echo '{"context": {"host_name": "secret", "executable": "/some/where/call_overhead"}, "benchmarks": []}' > "$out"''',
                    'echo "$@" > "$out.arguments"')


class Suite(unittest.TestCase):
    def run_suite(self, short=True, only=(), **programs):
        with tempfile.TemporaryDirectory() as name:
            directory = pathlib.Path(name)
            (directory / "bench").mkdir()
            for program, script in programs.items():
                (directory / "bench" / program).write_text(script)
                (directory / "bench" / program).chmod(0o755)
            said = io.StringIO()
            with contextlib.redirect_stderr(said):
                facts = run.run_suite(directory, support.ROOT, directory / "json", short, only)
            files = {path.name: path.read_text() for path in (directory / "json").iterdir()}
        return facts, files, said.getvalue()

    def test_what_is_built_is_measured_and_the_rest_is_absent(self):
        facts, files, said = self.run_suite(call_overhead=GOOD)
        self.assertEqual(facts["programs"]["call_overhead"]["state"], "measured")
        self.assertEqual(facts["programs"]["scaling"]["state"], "absent")
        self.assertIn("100 %] call_overhead", said)
        self.assertEqual(json.loads(files["machine.json"])["short"], True)

    def test_a_short_run_asks_for_little(self):
        for short, expected in ((True, True), (False, False)):
            _, files, _ = self.run_suite(short, call_overhead=GOOD)
            self.assertEqual("--benchmark_min_time" in files["call_overhead.json.arguments"], expected)

    def test_no_place_and_no_host_is_kept(self):
        _, files, _ = self.run_suite(call_overhead=GOOD)
        self.assertNotIn("secret", files["call_overhead.json"])
        self.assertEqual(json.loads(files["call_overhead.json"])["context"]["executable"], "call_overhead")

    def test_a_program_that_fails_is_said_to_and_leaves_nothing_half_done(self):
        bad = program_that('echo half > "$out"', "echo cannot open /secret/place/file >&2", "exit 3")
        facts, files, said = self.run_suite(call_overhead=bad, scaling=GOOD)
        self.assertEqual(facts["programs"]["call_overhead"]["state"], "failed")
        self.assertIn("status 3: cannot open file", facts["programs"]["call_overhead"]["why"])
        self.assertNotIn("call_overhead.json", files)
        self.assertIn("FAILED", said)
        self.assertEqual(facts["programs"]["scaling"]["state"], "measured")

    def test_one_program_can_be_run_again_alone(self):
        facts, _, _ = self.run_suite(only=("scaling",), call_overhead=GOOD, scaling=GOOD)
        self.assertEqual(facts["programs"]["scaling"]["state"], "measured")
        self.assertNotIn("call_overhead", facts["programs"])


if __name__ == "__main__":
    unittest.main()
