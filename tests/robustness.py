#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""robustness: runs everything that shows what hostile builds do, and writes the page about it.

usage: robustness.py --build DIRECTORY [--variants N] [--wide] [--only-wide] [--page FILE] [--only-page]

What each part finds is kept as JSON in DIRECTORY/robustness; --only-page writes the page from what is there. --wide has the survey of
libraries look at Debian's packages, too, which it fetches (some gigabytes, a quarter of an hour), and at one library built in some
thousand ways; --only-wide does nothing else. Without them the page quotes the last wide survey from docs/refusals.md.
"""

import argparse
import collections
import datetime
import json
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODES = ("engine", "trial", "digest", "dlopen")
CRASHES = ("crashed in loading", "crashed in a call", "crashed in unloading")


def run(what, *words, env=None):
    """Runs one part, whose progress goes to the terminal."""
    print(f"==> {what}", file=sys.stderr, flush=True)
    start = time.monotonic()
    status = subprocess.run([str(w) for w in words], env={**os.environ, **(env or {})}, stdout=sys.stderr).returncode
    print(f"    {time.monotonic() - start:.0f} s, status {status}", file=sys.stderr, flush=True)
    return status


def subjects(build):
    return sorted(p for size in ("small", "usual") for p in (build / "tests/mutate").glob(f"{size}-*.so"))


def survey_wide(build, directory):
    """Asks inspect and dlopen about Debian's packages, and about one library built in every way. Where from is kept beside the answers."""
    survey = build / "tests/mutate/inspect_survey"
    packages, builds = directory / "packages", directory / "builds"
    failed = [run("libraries of Debian's packages", sys.executable, ROOT / "tests/survey/unpack_packages.py", packages),
              run("one library, built in every way", sys.executable, ROOT / "tests/survey/odd_builds.py", builds)]
    # As if they were installed: what a library needs is found among the others, and what a module needs is there, as in its interpreter.
    paths = sorted({str(path.parent) for path in packages.rglob("lib*.so.*") if not any(odd in path.parts for odd in ("libx32", "lib32"))})
    interpreters = "libpython3.11.so.1.0 libperl.so.5.36"
    failed.append(run("inspect and dlopen on the packages", survey, "--any-name", "--json", directory / "survey-packages.json", packages,
                      env={"LD_LIBRARY_PATH": ":".join(paths), "LD_PRELOAD": interpreters}))
    failed.append(run("inspect and dlopen on the builds", survey, "--any-name", "--json", directory / "survey-builds.json", builds))
    return any(failed)


def measure(build, directory, variants):
    jobs = 4 * (os.cpu_count() or 1)  # they mostly wait for processes to start and end
    failed = [
        run("every linker and copy tool", sys.executable, ROOT / "tests/writers/matrix.py",
            "--witness", build / "tests/writers/witness", "--json", directory / "writers.json"),
        run("writers who rewrite in place", build / "tests/torn_test", "--gtest_brief=1",
            f"--gtest_output=json:{directory}/torn.json", env={"AUTORELOAD_ROUNDS": "2000"}),
        run("installed libraries", build / "tests/mutate/inspect_survey", "--any-name", "--json", directory / "survey.json"),
    ]
    for mode in MODES:
        at_most = {"engine": 2, "trial": 2, "digest": 0, "dlopen": 100}[mode]
        failed.append(run(f"damaged libraries, {mode}", build / "tests/mutate/mutation_study", "--mode", mode, "--seed", 1,
                          "--variants", variants, "--jobs", jobs, "--at-most", at_most,
                          "--json", directory / f"study-{mode}.json", *subjects(build)))
    return any(failed)


# ---- the page

def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows])


def number(value):
    return f"{value:,}"


def percent(part, whole):
    return f"{100 * part / whole:.2f} %" if whole else "–"


def cpu():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def system():
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.split("=", 1)[1].strip('"')
    return "Linux"


class Study:
    """The mutation study in one mode."""

    def __init__(self, path):
        found = json.loads(path.read_text())
        self.seed, self.rows, self.crashes = found["seed"], found["counts"], found["crashes"]

    def sum(self, holds=lambda row: True):
        total = collections.Counter()
        for row in self.rows:
            if holds(row):
                total.update(row["of"])
        return total

    def libraries(self):
        return {row["library"]: row["bytes"] for row in self.rows}


def crashed(counts):
    return sum(counts[name] for name in CRASHES)


def size_of(name):
    return name.split("-")[0]


def writers_part(found):
    ways = collections.OrderedDict()
    for row in found["rows"]:
        ways.setdefault(row["way"], {})[row["watch"]] = row

    def cell(row):
        if row["result"] == "held":
            return "held"
        return f"{row['result']}: {row['why']}"

    return table(["how the library arrives", "inotify", "polling"],
                 [[way, cell(rows["inotify"]), cell(rows["poll"])] for way, rows in ways.items()])


def torn_part(found):
    names = {"fast": "whole file at once, no pause at all", "slow": "in pieces of 8 KB", "truncating": "truncated, then in pieces",
             "mapped": "through a mapping", "never_closing": "in pieces, never closed",
             "never_unmapping": "through a mapping that is never undone"}
    rows = []
    for suite in found["testsuites"]:
        for test in suite["testsuite"]:
            name = test.get("value_param") and test["name"].split("/")[-1]
            if "rewritten" in test:
                rows.append([names.get(name, name or "for a reader who may have no lease"), *(
                    number(int(test[key])) for key in ("rewritten", "loaded", "put_off", "refused", "torn", "torn_plainly"))])
    return table(["the writer", "rewrites", "reloads", "put off", "refused", "**torn**", "plain reads torn at the same time"], rows)


def study_part(studies):
    outcomes = list(studies["engine"].rows[0]["of"])
    said = {"waiting": "taken for a linker's unfinished work, waited", "worse for a refusal": "refused, and worse for it"}
    rows = [[said.get(name, name), *(number(studies[mode].sum()[name]) for mode in MODES)] for name in outcomes]
    rows.append(["**all**", *(number(sum(studies[mode].sum().values())) for mode in MODES)])
    return table(["a damaged library was …", "the engine", "with a trial load", "with a trial load and a digest", "plain dlopen"], rows)


def shares(studies, groups):
    rows = []
    for name, holds in groups:
        row = [name]
        for mode in MODES:
            counts = studies[mode].sum(holds)
            row.append(f"{percent(crashed(counts), sum(counts.values()))} of {number(sum(counts.values()))}")
        with_trial = studies["trial"].sum(holds)
        row.append(percent(with_trial["crashed in loading"] + with_trial["crashed in unloading"], sum(with_trial.values())))
        rows.append(row)
    return table(["crashed or hung", "the engine", "with a trial load", "with a trial load and a digest", "plain dlopen", "with a trial load, outside of calls"], rows)


def groups_of(study):
    libraries = study.libraries()

    def kilobytes(size):
        sizes = [b for name, b in libraries.items() if size_of(name) == size]
        return f"{min(sizes) // 1000} to {max(sizes) // 1000} KB"

    groups = [(f"libraries of {kilobytes(s)} ({s})", lambda row, s=s: size_of(row["library"]) == s) for s in ("usual", "small")]
    for linker in ("bfd", "gold", "lld", "mold"):
        groups.append((f"by ld {linker}, usual", lambda row, word=linker: size_of(row["library"]) == "usual" and f"-{word}" in row["library"]))
    groups.append(("stripped, usual", lambda row: size_of(row["library"]) == "usual" and "stripped" in row["library"]))
    groups.append(("not stripped, usual", lambda row: size_of(row["library"]) == "usual" and "stripped" not in row["library"]))
    for kind in dict.fromkeys(row["damage"] for row in study.rows):
        groups.append((f"{kind}, usual", lambda row, kind=kind: size_of(row["library"]) == "usual" and row["damage"] == kind))
    return groups


def causes_part(studies):
    def cause(place):
        if place in (".text", ".plt", ".plt.got", ".plt.sec", ".init", ".fini"):
            return "code"
        if place in (".rodata", ".data", ".eh_frame", ".data.rel.ro", ".got", ".got.plt"):
            return "constants and data"
        return "tables of the loader"

    rows = []
    for size in ("usual", "small"):
        for what in ("code", "constants and data", "tables of the loader"):
            row = [size, what]
            for mode in ("engine", "trial"):
                hits = [c for c in studies[mode].crashes if size_of(c["library"]) == size and cause(c["place"]) == what]
                row.append(", ".join(f"{n} {name.removeprefix('crashed ')}" for name, n in
                                     sorted(collections.Counter(c["outcome"] for c in hits).items())) or "none")
            rows.append(row)
    return table(["libraries", "what was damaged", "crashes of the engine", "with a trial load"], rows)


def survey_part(found):
    refused = collections.Counter((r["reason"], r["dlopen_takes_it"]) for r in found["refusals"])
    rows = [["files named \\*.so\\*", number(found["files"])],
            ["**accepted, and dlopen takes it**", number(found["accepted_and_loads"])],
            ["accepted, but dlopen does not take it: it lacks a dependency or a host's symbols, or a constructor ends the process",
             number(len(found["accepted_and_does_not_load"]))],
            ["refused, and dlopen does not take it either", number(found["refused_and_does_not_load"])],
            ["refused although dlopen takes it, because reloading it would harm the process", number(found["refused_unfit"])],
            ["**refused although dlopen takes it, without such a reason**", number(found["refused_wrongly"])]]
    why = [[reason, "yes" if takes else "no", number(n)] for (reason, takes), n in refused.most_common()]
    warned = [[text, number(n)] for text, n in sorted(found["warnings"].items(), key=lambda one: -one[1])]
    return (table(["libraries", "count"], rows) + "\n\n" + table(["refused because", "dlopen takes it", "count"], why) +
            "\n\nAccepted with a warning (each says what to compile with):\n\n" + table(["warning", "count"], warned) +
            f"\n\n`inspect` took {found['inspect_ms'] / 1000:.1f} s for {found['bytes'] / 1e6:,.0f} MB.")


# Each kind of refusal was looked at once; what was found is said here. A kind that is not here is new: look at it.
REMARKS = [
    ("this is a 32-bit library", "true: packages for i386 code on amd64"),
    ("this is a text file", "true: linker scripts, and Python for gdb"),
    ("this is not an ELF file", "true: notes of a coverage run, data named like a library"),
    ("not linked yet", "true: the debug information that gcc splits off (`.dwo`)"),
    ("asks for an executable stack", "true: nested functions of GNU C and Ada, and GHC's own assembly; loading one makes the process's stack executable"),
    ("text relocations", "true: `-mcmodel=medium` with a linker that allows it"),
    ("packed for Android", "true: glibc does not read them"),
    ("without addends (DT_REL)", "true: glibc's loader ends the process (x86-64 has addends)"),
    ("only the debug information", "true: `objcopy --only-keep-debug`"),
    ("bytes at 0x#, is outside of the segments", "`-fsanitize=hwaddress` puts tags into addresses; dlopen does not take it for want of its runtime"),
    ("is not where the dynamic section says", "lld `--unique`: some constructors would not run; dlopen crashes on it"),
    ("writable and executable", "true: such a library could change its own code"),
]


def kind_of(reason):
    """The reason without what differs from file to file."""
    return re.sub(r'"[^"]*"', "…", re.sub(r"0x[0-9a-f]+", "0x#", re.sub(r"(?<![0-9a-zA-Z-])[0-9][0-9,]*(?![0-9a-zA-Z-])", "#", reason)))


def remark_on(kind):
    return next((text for part, text in REMARKS if part in kind), "**not looked at yet**")


def refusals_page(directory):
    """What the wide survey found: counts, and every kind of refusal with the files that it hit."""
    sources = {"installed": "installed (below /usr/lib)", "packages": "Debian's packages, unpacked", "builds": "one library, built in every way"}
    found = {name: json.loads((directory / ("survey.json" if name == "installed" else f"survey-{name}.json")).read_text()) for name in sources}
    total = {key: sum(one[key] for one in found.values()) for key in ("files", "accepted", "accepted_and_loads", "refused_wrongly", "refused_unfit")}
    rows = [[text, number(found[name]["files"]), number(found[name]["accepted_and_loads"]), number(len(found[name]["accepted_and_does_not_load"])),
             number(found[name]["refused_and_does_not_load"]), number(found[name]["refused_unfit"]), number(found[name]["refused_wrongly"])]
            for name, text in sources.items()]
    kinds = collections.OrderedDict()
    for name, one in found.items():
        for refusal in one["refusals"]:
            key = (kind_of(refusal["reason"]), refusal["dlopen_takes_it"])
            kinds.setdefault(key, []).append(Path(refusal["path"]).name)
    listed = []
    for (kind, takes), files in sorted(kinds.items(), key=lambda one: -len(one[1])):
        names = sorted(set(files))
        more = f" and {len(names) - 12} more names" if len(names) > 12 else ""
        listed.append([kind, "yes" if takes else "no", number(len(files)), remark_on(kind), ", ".join(f"`{n}`" for n in names[:12]) + more])
    taken = total["accepted_and_loads"] + total["refused_unfit"] + total["refused_wrongly"]
    packages = (directory / "packages/packages").read_text().split() if (directory / "packages/packages").exists() else []
    return f"""<!-- SPDX-License-Identifier: MIT -->
# Refusals: what the inspector says of {number(total['files'])} libraries

Made by `./dev robustness --wide` on {datetime.date.today().isoformat()}; nothing here is written by hand but the remarks, which are in `tests/robustness.py`.

**Of {number(total['files'])} files, dlopen takes {number(taken)}; of those {number(total['refused_wrongly'])} are refused without a good reason.**
{number(total['accepted'])} are accepted. What is accepted and not taken by dlopen lacks a library or a host's symbols, or a constructor ends the process.

{table(['from', 'files', 'accepted, dlopen takes it', 'accepted, dlopen does not', 'refused, dlopen does not', 'refused, would harm the process', '**refused without reason**'], rows)}

The packages are {number(len(packages))}, of languages, plug-ins and plain libraries in turn (`tests/survey/unpack_packages.py`); each build is one compiler,
one linker and one list of flags, or a tool's rewrite of that (`tests/survey/odd_builds.py`).

{table(['refused because', 'dlopen takes it', 'count', 'looked at', 'files'], listed)}
"""


def wide_summary():
    """The bold sentence of the last wide survey's page."""
    path = ROOT / "docs/refusals.md"
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line for line in lines if line.startswith("**Of ")), "").strip("*")


def page(directory):
    writers = json.loads((directory / "writers.json").read_text())
    torn = json.loads((directory / "torn.json").read_text())
    survey = json.loads((directory / "survey.json").read_text())
    studies = {mode: Study(directory / f"study-{mode}.json") for mode in MODES}
    rows = writers["rows"]
    count = collections.Counter(row["result"] for row in rows)
    tests = [test for suite in torn["testsuites"] for test in suite["testsuite"]]
    rounds = [test for test in tests if "rewritten" in test]
    without = [test for test in rounds if not test.get("value_param")]
    every = {mode: studies[mode].sum() for mode in MODES}
    usual = {mode: studies[mode].sum(lambda row: size_of(row["library"]) == "usual") for mode in MODES}
    share = {mode: percent(crashed(usual[mode]), sum(usual[mode].values())) for mode in MODES}
    held = f"{count['held']} of {len(rows)} held"
    if count["FAILED"]:
        held += f", **{count['FAILED']} failed**"
    if count["skipped"]:
        held += f", {count['skipped']} skipped for want of a tool"
    failed_tests = sum("failures" in test for test in tests)

    return f"""<!-- SPDX-License-Identifier: MIT -->
# Robustness: what hostile builds do to a program that reloads

Made by `./dev robustness` on {datetime.date.today().isoformat()}; nothing here is written by hand.

- **{len(rows) // 2} ways in which a library arrives**, each with inotify and with polling: {held}. The program under load ended on the new
  code, needed no second change, and never ran anything but an old or a new version.
- **{number(sum(int(t['rewritten']) for t in rounds))} rewrites in place** by {len(rounds)} kinds of writers, against
  {number(sum(int(t['loaded']) for t in rounds))} reloads: {sum(int(t['torn']) for t in rounds if t not in without)} torn versions where the
  program may take a lease on the file (it is its owner), {sum(int(t['torn']) for t in without)} where it may not, \
{'no crash' if failed_tests == 0 else f'**{failed_tests} tests failed**'}.
- **{number(sum(every['engine'].values()))} damaged libraries**, each put in the place of a good one that runs. Plain dlopen:
  {percent(crashed(every['dlopen']), sum(every['dlopen'].values()))} crash or hang. Libraries of the usual size: {share['engine']} with the engine,
  {share['trial']} with a trial load. With a trial load {every['trial']['crashed in loading']} crashed while being loaded,
  {every['trial']['crashed in unloading']} while being unloaded; the others crashed when the program *called* them: no check knows what code should
  be, and the trial of this study calls nothing. A [digest](safety.md#digest) made at build time knows: where the engine requires one, {crashed(every['digest'])} crashed and
  {every['digest']['loaded and wrong']} gave a wrong answer, of {number(sum(every['digest'].values()))}. A program that refused a damaged library was never the worse for it: {every['engine']['worse for a refusal']} of \
{number(sum(every['engine'][k] for k in every['engine'] if k.startswith('refused') or k == 'waiting'))}.
- **{number(survey['files'])} installed files**: of the {number(survey['accepted_and_loads'] + survey['refused_unfit'] + survey['refused_wrongly'])} that dlopen takes,
  {number(survey['accepted_and_loads'])} are accepted, {survey['refused_wrongly']} are refused without a good reason. [A wider survey](refusals.md): {wide_summary()}

Made on {system()}, Linux {platform.release()}, {platform.libc_ver()[0]} {platform.libc_ver()[1]}, {os.cpu_count()} × {cpu()}.

{table(['tool', 'version'], writers['tools'].items())}

## Every linker and copy tool

Two threads of the program call the library without pause while one command replaces it (`meson test -C build --setup full --suite writers`).

{writers_part(writers)}

## Writers who rewrite in place

The library has its version's number in every page of code, constants and data; all must agree in whatever is loaded. The versions have the same
layout, so a mixture of two is a perfect library, and only the snapshot can keep it out. *Put off* is a reload that found somebody writing and
waits (`AUTORELOAD_ROUNDS=2000 build/tests/torn_test`).

{torn_part(torn)}

Without a lease (the file belongs to another user) a file that lies still for 300 ms is taken to be done. A writer whom a busy machine holds up for longer
than that in the middle of a file is read half-way, until its last write brings the rest; the test counts those stops and allows no torn version more.
Write to another name and rename, as linkers do, and it can't happen.

What never closes the file is not loaded before it lies still, with the same contents, for one and a half seconds.

## Damaged libraries

{len(studies['engine'].libraries())} libraries: a C library in two sizes, by gcc and clang with every linker, stripped and not, with and without a section table, and
older and newer forms of the tables. The damage: truncated anywhere; one bit flipped; one or two fields of the headers, or words of the symbol, hash,
version and relocation tables, rewritten; a range zeroed.
For the column *digest* each library got one by `autoreload-digest` first; the damage may hit that, too.
Each is renamed over a good one that a child process runs through a `reloadable`; then everything is called, and at last the good one comes back
(`build/tests/mutate/mutation_study --mode engine --seed {studies['engine'].seed} …`; the seed makes the same variants again).

{study_part(studies)}

*Loaded and correct* are those whose damage lies in what nobody uses. *Loaded and wrong* gave a wrong answer: a flipped bit in code is code.

{shares(studies, groups_of(studies['engine']))}

What remains, by the place of the first damaged byte. In a tiny library nearly every byte is code that is called at once; in one of the usual
size the program calls a few functions of many.

{causes_part(studies)}

## Installed libraries

Every file below /usr/lib, given to `inspect` and, in a child process, to dlopen (`build/tests/mutate/inspect_survey --any-name`).

{survey_part(survey)}

## Not covered

- Without a digest: a wrong byte in code or data of a complete, well-formed file.
- A writer that stops for more than one and a half seconds in the middle of a file that it keeps open is taken to be done; its last close brings
  the rest. Where the program may take no lease (the file belongs to another user), a file that lies still for 300 ms is taken to be done, and who writes
  through a mapping on a file system that does not update the file's time (tmpfs) is not seen.
- A change of the mounts on the way (another file system mounted over a directory of it) is no event; nor is a write in place through a second hard
  link that was made after the file was last looked at. `reload()` brings both in, and from then on what was mounted is watched; a `touch` of the library brings in the second; polling sees both.
- A library whose code has a table of zeros is loaded three seconds after its last change, if nobody has it open: the same goes for a damaged one. The
  damaged libraries above are of that age, so that none is only waited for on that account.
- A trial load here has neither the library's own test nor recorded calls ([safety.md](safety.md#trial-load)). It tries constructors, destructors and the
  resolvers of indirect functions.
- aarch64: the inspector's rules are tested on aarch64 libraries, nothing is run there. Network file systems: polled, not tried here.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--variants", type=int, default=10800)
    parser.add_argument("--page", type=Path, default=ROOT / "docs/robustness.md")
    parser.add_argument("--only-page", action="store_true")
    parser.add_argument("--wide", action="store_true")
    parser.add_argument("--only-wide", action="store_true")
    chosen = parser.parse_args()
    build = chosen.build.resolve()
    directory = build / "robustness"
    directory.mkdir(exist_ok=True)
    failed = False if chosen.only_page or chosen.only_wide else measure(build, directory, chosen.variants)
    if chosen.wide or chosen.only_wide:
        if not chosen.only_page:
            failed |= survey_wide(build, directory)
        if not (directory / "survey.json").exists():
            failed |= bool(run("installed libraries", build / "tests/mutate/inspect_survey", "--any-name", "--json", directory / "survey.json"))
        (ROOT / "docs/refusals.md").write_text(refusals_page(directory))
        print(ROOT / "docs/refusals.md")
    if not chosen.only_wide:
        chosen.page.write_text(page(directory))
        print(chosen.page)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
