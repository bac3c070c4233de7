#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# edits: makes libraries of the list of edits, and the page that says what became of each variable.
import argparse
import dataclasses
import json
import pathlib
import subprocess
import sys
import tempfile

PRELUDE = "#include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>\n#include <stdlib.h>\n#include <string.h>\n"
KEYS = ("set", "-set", "+set", "then", "-then", "+then", "says", "back says")


@dataclasses.dataclass
class Edit:
    name: str
    flags: set
    line: int
    source: list = dataclasses.field(default_factory=list)
    said: dict = dataclasses.field(default_factory=dict)

    def of(self, key, after):
        """The statements of a key, one of the version's own or one for both."""
        own = self.said.get(("+" if after else "-") + key)
        return own if own is not None else self.said.get(key, [])

    def text(self, after):
        skipped = "-" if after else "+"
        return "".join(line[1:] + "\n" for line in self.source if line[0] != skipped)

    def unit(self, number, after):
        """A C file with what was edited, and two exported functions that set values and say whether they are there."""
        statements = " ".join(self.of("set", after))
        condition = " && ".join(f"({c})" for c in self.of("then", after)) or "1"
        return (
            f"{PRELUDE}{self.text(after)}"
            f"void set_{number}(void) {{ {statements} }}\n"
            f"int check_{number}(void) {{ return {condition}; }}\n"
        )


def read(path):
    edits = []
    for number, line in enumerate(pathlib.Path(path).read_text(encoding="utf-8").splitlines(), 1):
        if line == "" or line[0] == "#":
            continue
        if line[0] == "@":
            name, *flags = [field.strip() for field in line[1:].split("|")]
            edits.append(Edit(name, set(" ".join(flags).split()), number))
            continue
        key, colon, rest = line.partition(": ")
        if colon and key in KEYS:
            edits[-1].said.setdefault(key, []).append(rest.strip())
        elif line[0] in " +-":
            edits[-1].source.append(line)
        else:
            sys.exit(f"{path}:{number}: a line starts with @, #, a blank, + or -, or with one of {', '.join(KEYS)}")
    return edits


def quoted(text):
    return json.dumps(text)


def listing(edits):
    """The list as C++, for the test."""
    lines = ['// Made by edits.py.\n#include "edit_list.hpp"\n', "namespace autoreload_test {\n"]
    lines.append("const std::vector<edit>& edits() {\n  static const std::vector<edit> all{\n")
    for e in edits:
        says = ", ".join(quoted(s) for s in e.said.get("says", []))
        back = ", ".join(quoted(s) for s in e.said.get("back says", []))
        lines.append(
            f"    {{{quoted(e.name)}, {'true' if 'back' in e.flags else 'false'},"
            f" {quoted(' '.join(e.source))}, {{{says}}}, {{{back}}}}},\n"
        )
    lines.append("  };\n  return all;\n}\n}  // namespace autoreload_test\n")
    return "".join(lines)


def build(edits, compiler, level, version, output):
    """Every edit is a unit of its own in one library, so that one run of a carrier does all of them."""
    with tempfile.TemporaryDirectory() as directory:
        names = []
        for number, e in enumerate(edits):
            names.append(f"edit_{number}.c")
            (pathlib.Path(directory) / names[-1]).write_text(e.unit(number, version == "after"), encoding="utf-8")
        command = [compiler, "-g", "-" + level, "-w", "-fPIC", "-shared", "-o", str(pathlib.Path(output).resolve()), *names]
        sys.exit(subprocess.run(command, cwd=directory, check=False).returncode)


BUILDS = [("gcc_O0", "gcc -O0"), ("gcc_O2", "gcc -O2"), ("clang_O0", "clang -O0"), ("clang_O2", "clang -O2")]


def shown(lines):
    return "<br>".join("`" + line.strip().replace("|", "\\|") + "`" for line in lines)


def row(number, e):
    """What a row begins with: the edit, and what the list says must be true."""
    lines = [line for line in e.source if line[0] != " " and "_pad" not in line]
    return f"| {number} | {e.name} | {shown(lines)} | {shown(e.of('then', True))} |"


def page(edits, tool, where):
    """Runs every edit and writes what became of it."""
    answers = {}
    for line in subprocess.run([tool], check=True, capture_output=True, text=True).stdout.splitlines():
        number, built, direction, good, *remarks = line.split("\t")
        answers[int(number), built, direction] = (good, remarks)
    rows, wrong = [], []
    for number, e in enumerate(edits):
        cells = []
        for built, words in BUILDS:
            forth = answers[number, built, "forth"][0]
            back = answers.get((number, built, "back"), ("",))[0]
            cells.append(forth + (f", {back}" if back else ""))
            wrong += [f"{e.name}: {words}"] if "no" in (forth, back) else []
        remarks = shown(answers[number, "gcc_O0", "forth"][1])
        rows.append(f"{row(number + 1, e)} {' | '.join(cells)} | {remarks} |")
    if wrong:
        sys.exit("not carried as the list says:\n" + "\n".join(wrong))
    heads = [subprocess.run([c, "--version"], check=True, capture_output=True, text=True).stdout.splitlines()[0]
             for c in ("gcc", "clang")]
    heading = ["", "edit", "what was edited", "what must be true afterwards", *[words for _, words in BUILDS],
               "what the report says"]
    back = sum("back" in e.flags for e in edits)
    pathlib.Path(where).write_text(
        "<!-- SPDX-License-Identifier: MIT -->\n<!-- Made by ./dev state-edits from tests/state/edits/edits.txt. -->\n"
        f"# {len(edits)} edits of C files that remember something, and what became of their values\n\n"
        f"Each edit was compiled for real, by {' and '.join(heads)}, at -O0 and at -O2. Values were set by a function of the "
        "version that was loaded first, carried, and read by a function of the other. The columns of the builds say whether "
        f"what must be true was true; the second word is of the way back, from the new version to the old one, which {back} "
        "edits go. The report is the one of gcc -O0.\n\n"
        f"| {' | '.join(heading)} |\n" + "|---" * len(heading) + "|\n" + "\n".join(rows) + "\n", encoding="utf-8")
    print(f"{len(edits)} edits, {back} of them also backwards: {where}")


def check(edits, where):
    """Whether the page was made from this list: the same edits in the same order, with the same text."""
    rows = [line for line in pathlib.Path(where).read_text(encoding="utf-8").splitlines() if line[:3].strip("| ").isdigit()]
    wrong = [f"{len(edits)} edits, but {len(rows)} rows"] if len(edits) != len(rows) else []
    wrong += [e.name for number, (e, line) in enumerate(zip(edits, rows), 1) if not line.startswith(row(number, e))]
    if wrong:
        sys.exit("\n".join([*wrong, "make the page anew: ./dev state-edits"]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["list", "build", "page", "check"])
    parser.add_argument("arguments", nargs="*")
    given = parser.parse_args()
    edits = read(given.arguments[0])
    if given.command == "list":
        pathlib.Path(given.arguments[1]).write_text(listing(edits), encoding="utf-8")
    elif given.command == "build":
        build(edits, *given.arguments[1:])
    elif given.command == "page":
        page(edits, *given.arguments[1:])
    else:
        check(edits, given.arguments[1])


main()
