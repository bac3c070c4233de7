# SPDX-License-Identifier: MIT
# run: runs the benchmark programs one after the other, says how far it is, and keeps their JSON.

import datetime
import json
import pathlib
import re
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

from . import machine


@dataclass(frozen=True)
class Program:
    """A program of the suite.

    name      of its JSON file, and of the program unless `command` says otherwise
    command   how it is started: {program} and {out} are filled in. The default is a program of Google Benchmark's
    full      arguments of a full run;  short: of a short one
    seconds   how long a (full, short) run takes on a slow machine, for the progress until a run has been timed
    what      for the progress
    """
    name: str
    what: str
    full: tuple = ()
    short: tuple = ()
    seconds: tuple = (60, 10)
    executable: str = ""
    command: tuple = ("{program}", "--benchmark_out={out}", "--benchmark_out_format=json")

    def find(self, build):
        """The built program, or None. Programs may be in any directory of the build."""
        wanted = self.executable or self.name
        for directory in ("bench", "guard", "."):
            for path in sorted((build / directory).rglob(wanted)):
                if path.is_file() and path.stat().st_mode & 0o111:
                    return path
        return None


PROGRAMS = (
    Program("call_overhead", "what a call costs", short=("--benchmark_repetitions=3", "--benchmark_min_time=0.01"),
            seconds=(180, 20)),
    Program("placement", "the same loop at several places", short=("--benchmark_repetitions=2", "--benchmark_min_time=0.01"),
            seconds=(40, 5)),
    Program("instructions", "instructions of a call, counted by callgrind", executable="count_instructions",
            command=(sys.executable, "{source}/bench/count_instructions.py", "{program}", "--out", "{out}"),
            seconds=(15, 15)),
    Program("reload_latency", "from the finished file to the new code", short=("--rounds=100",),
            seconds=(180, 30)),
    Program("storm_histogram", "every call's time, with and without reloads", command=("{program}", "--out={out}"),
            full=("--seconds=60",), short=("--seconds=8",), seconds=(62, 10)),
    Program("frame_histogram", "every frame's time, with a reload every second", command=("{program}", "--out={out}"),
            full=("--seconds=60",), short=("--seconds=6", "--reload-ms=200"), seconds=(62, 8)),
    Program("scaling", "how it grows", full=("--benchmark_repetitions=3",),
            short=("--short=1", "--benchmark_repetitions=1"), seconds=(420, 45)),
    Program("peers", "other loaders", short=("--benchmark_repetitions=2", "--benchmark_min_time=0.01"),
            seconds=(60, 10)),
    Program("check_cost", "what each check costs", short=("--benchmark_repetitions=2", "--benchmark_min_time=0.01"),
            seconds=(30, 5)),
    Program("holders_cost", "the search for holders", short=("--benchmark_repetitions=2", "--benchmark_min_time=0.01"),
            seconds=(40, 15)),
    Program("save", "from the save of a source to the new code", command=("{program}", "--benchmark_out={out}"),
            full=("--rounds=10",), short=("--rounds=3", "--row=/gcc/bfd/"), seconds=(400, 40)),
    Program("guard_cost", "the ABI guard", full=("--benchmark_repetitions=5", "--benchmark_min_time=0.1"),
            short=("--benchmark_repetitions=2", "--benchmark_min_time=0.01"),
            seconds=(60, 10)),
)


@dataclass
class Progress:
    """One line for each program, kept up to date on a terminal, repeated every 15 seconds elsewhere."""
    expected: dict
    started: float = field(default_factory=time.monotonic)
    done: float = 0.0
    shown: float = 0.0

    def say(self, index, count, program, begun, end=""):
        now = time.monotonic()
        took = now - begun
        expected = self.expected[program.name]
        share = 1.0 if end else min(took / expected, 0.99)
        percent = 100 * (self.done + share * expected) / sum(self.expected.values())
        line = f"[{index}/{count} {percent:3.0f} %] {program.name}: {program.what}, {took:.0f} s{end}"
        if sys.stderr.isatty():
            sys.stderr.write("\r\033[K" + line + ("\n" if end else ""))
            sys.stderr.flush()
        elif end or now - self.shown > 15:
            self.shown = now
            print(line, file=sys.stderr, flush=True)
        if end:
            self.done += expected


def _last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def _without_places(path):
    """Google Benchmark writes down the host's name and the program's directory: neither belongs into a report."""
    document = json.loads(path.read_text())
    context = document.get("context", {}) if isinstance(document, dict) else {}
    context.pop("host_name", None)
    if "executable" in context:
        context["executable"] = pathlib.PurePath(context["executable"]).name
    path.write_text(json.dumps(document, indent=1) + "\n")


def run_suite(build, source, output, short, only=()):
    """Runs what is built and writes <output>/<name>.json for each, and machine.json.

    A program that is not built, or that fails, is written down as such; the others are run all the same.
    """
    output.mkdir(parents=True, exist_ok=True)
    timings_file = output / "machine.json"
    earlier = json.loads(timings_file.read_text()) if timings_file.exists() else {}
    facts = machine.describe(build, source)
    facts.update(short=short, started=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
                 load_before=machine.load_average(), programs={})
    wanted = [program for program in PROGRAMS if not only or program.name in only]
    for program in PROGRAMS:
        if program not in wanted and program.name in earlier.get("programs", {}):
            facts["programs"][program.name] = earlier["programs"][program.name]  # its JSON is still there
    found = []
    for program in wanted:
        (output / f"{program.name}.json").unlink(missing_ok=True)
        path = program.find(build)
        if path is None:
            facts["programs"][program.name] = {"state": "absent"}
        else:
            found.append((program, path))

    timed = earlier.get("programs", {}) if earlier.get("short") == short else {}
    expected = {program.name: timed.get(program.name, {}).get("seconds") or program.seconds[short] for program, _ in found}
    progress = Progress(expected)
    for index, (program, path) in enumerate(found, 1):
        facts["programs"][program.name] = _run_one(program, path, source, output, short, progress, index, len(found))
    facts["programs"] = {program.name: facts["programs"][program.name] for program in PROGRAMS if program.name in facts["programs"]}
    facts["load_after"] = machine.load_average()
    facts["seconds"] = round(time.monotonic() - progress.started)
    timings_file.write_text(json.dumps(facts, indent=1) + "\n")
    return facts


def _run_one(program, path, source, output, short, progress, index, count):
    out = output / f"{program.name}.json"
    places = {"program": str(path), "out": str(out), "source": str(source)}
    command = [word.format(**places) for word in program.command] + list(program.short if short else program.full)
    begun = time.monotonic()
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    except OSError as failure:
        progress.say(index, count, program, begun, f": could not be started: {failure}")
        return {"state": "failed", "why": str(failure)}
    said = []
    readers = [threading.Thread(target=lambda stream=stream: said.append(stream.read()))
               for stream in (process.stdout, process.stderr)]
    for reader in readers:
        reader.start()
    try:
        while process.poll() is None:
            progress.say(index, count, program, begun)
            time.sleep(0.5)
    finally:  # whoever interrupts this run wants it to end
        process.kill()
    for reader in readers:
        reader.join()
    seconds = round(time.monotonic() - begun, 1)
    if process.returncode != 0 or not out.exists():
        why = re.sub(r"/\S*/", "", _last_line("\n".join(said)))
        out.unlink(missing_ok=True)
        progress.say(index, count, program, begun, f": FAILED ({process.returncode}): {why}")
        return {"state": "failed", "why": f"status {process.returncode}: {why}", "seconds": seconds}
    _without_places(out)
    progress.say(index, count, program, begun, ", done")
    return {"state": "measured", "seconds": seconds}
