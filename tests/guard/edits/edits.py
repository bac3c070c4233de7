#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# edits: makes sources of the list of edits, and the table that compares the guard's verdicts with abidiff's.
import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import re
import subprocess
import sys
import tempfile

PRELUDE = "#include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>\n"


@dataclasses.dataclass
class Edit:
    name: str
    breaks: bool
    symbols: list  # of (name, is a variable)
    flags: set
    says: str = ""
    explanation: str = ""
    header: list = dataclasses.field(default_factory=list)
    source: list = dataclasses.field(default_factory=list)

    def text(self, part, after):
        """The header or the source as it was before or is after the edit."""
        skipped = "-" if after else "+"
        return "".join(line[1:] + "\n" for line in getattr(self, part) if line[0] != skipped)

    def whole(self, after):
        return self.text("header", after) + self.text("source", after)


def read(path):
    edits = []
    part = None
    for number, line in enumerate(pathlib.Path(path).read_text(encoding="utf-8").splitlines(), 1):
        if line == "" or line[0] == "#":
            continue
        if line[0] == "@":
            name, verdict, symbols, *flags = [field.strip() for field in line[1:].split("|")]
            if verdict not in ("breaks", "passes"):
                sys.exit(f"{path}:{number}: the verdict is breaks or passes")
            named = [(symbol.removeprefix("var:"), symbol.startswith("var:")) for symbol in symbols.split()]
            edits.append(Edit(name, verdict == "breaks", named, set(" ".join(flags).split())))
            part = edits[-1].header
        elif line == "--":
            part = edits[-1].source
        elif line[0] == ">":
            edits[-1].says = line[1:].strip()
        elif line[0] == "~":
            edits[-1].explanation = line[1:].strip()
        elif line[0] in " +-":
            part.append(line)
        else:
            sys.exit(f"{path}:{number}: a line starts with one of @>~#+- or a blank")
    return edits


def generate(args):
    """The two versions of the library, the host, and the list of verdicts, for the tests."""
    edits = read(args.edits)
    out = pathlib.Path(args.directory)
    for file, after in (("before.c", False), ("after.c", True)):
        (out / file).write_text(PRELUDE + "".join(f"\n// {e.name}\n{e.whole(after)}" for e in edits), encoding="utf-8")

    host = ["// Made from edits.txt: a host that was compiled for the old version of every header.",
            "#include <autoreload/symbol.hpp>", '#include "edit_list.hpp"', PRELUDE]
    rows = []
    for index, edit in enumerate(edits):
        symbols = "autoreload_test::no_host()"
        if "c-only" not in edit.flags:
            # A host that uses a struct makes its compiler write its definition into the debug information.
            header = edit.text("header", False)
            tags = re.findall(r"\b(?:struct|union) (?:__attribute__\(\(.*?\)\) )?(\w+) \{", header)
            typedefs = re.findall(r"^\s*typedef struct \{.*?\} (\w+);", header, re.MULTILINE | re.DOTALL)
            used = "".join(f"static_assert(sizeof({name}) != 0);\n" for name in tags + typedefs)
            fields = "".join(f"  autoreload::required<{name}> field_{name};\n" for name, _ in edit.symbols)
            host.append(f"namespace edit_{index} {{\nextern \"C\" {{\n{header}}}\n{used}struct api {{\n{fields}}};\n}}")
            symbols = f"autoreload::symbols_of<edit_{index}::api>()"
        names = ", ".join(f'{{"{name}", {str(variable).lower()}}}' for name, variable in edit.symbols)
        says = edit.says.replace("\\", "\\\\").replace('"', '\\"')
        rows.append(f'    {{"{edit.name}", {str(edit.breaks).lower()}, {str("host-passes" in edit.flags).lower()}, '
                    f'{str("c-only" in edit.flags).lower()}, "{says}", {{{names}}}, {symbols}}},\n')
    host.append("const std::vector<autoreload_test::edit>& autoreload_test::edits() {\n"
                "  static const std::vector<edit> list = {\n" + "".join(rows) + "  };\n  return list;\n}\n")
    (out / "host.cpp").write_text("\n".join(host), encoding="utf-8")


def run(command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def build(compiler, option, source, library):
    done = run([compiler, "-g", option, "-w", "-fPIC", "-shared", "-o", library, source])
    if done.returncode != 0:
        sys.exit(done.stdout)


def guard_verdict(compare, before, after, edit):
    symbols = [("var:" if variable else "") + name for name, variable in edit.symbols]
    done = run([compare, before, after, *symbols])
    if done.returncode not in (0, 1):
        sys.exit(f"{edit.name}: {done.stdout}")
    return ("refused" if done.returncode == 1 else "passes"), done.stdout.strip().splitlines()


def abidiff_verdict(before, after):
    status = run(["abidiff", "--no-default-suppression", before, after]).returncode
    if status & 3:
        sys.exit(f"abidiff failed on {before} and {after}")
    return "incompatible" if status & 8 else "changed" if status & 4 else "same"


def both_verdicts(edit, compare, configurations):
    """What the guard and abidiff say of an edit in each configuration, and the guard's words of the first."""
    ours, theirs, remarks = [], [], []
    with tempfile.TemporaryDirectory() as directory:
        for compiler, option in configurations:
            libraries = []
            for side, after in (("before", False), ("after", True)):
                source = os.path.join(directory, side + ".c")
                pathlib.Path(source).write_text(PRELUDE + edit.whole(after), encoding="utf-8")
                libraries.append(os.path.join(directory, f"lib{side}.so"))
                build(compiler, option, source, libraries[-1])
            verdict, said = guard_verdict(compare, *libraries, edit)
            ours.append(verdict)
            remarks = remarks or said
            theirs.append(abidiff_verdict(*libraries))
    return ours, theirs, remarks


def row(number, edit, cells):
    """The beginning of an edit's row: what the list alone decides."""
    return " | ".join([f"| {number}", edit.name, "refused" if edit.breaks else "passes", *cells])


def table(args):
    """Compiles every edit by itself, asks the guard and abidiff, and writes both verdicts side by side."""
    edits = read(args.edits)
    compilers = ["gcc", "clang"]
    configurations = [(c, o) for c in compilers for o in ("-O0", "-O2")]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        answers = list(pool.map(lambda edit: both_verdicts(edit, args.compare, configurations), edits))
    rows, wrong = [], []
    disagreements = 0
    for number, (edit, (ours, theirs, remarks)) in enumerate(zip(edits, answers), 1):
        if set(ours) != {"refused" if edit.breaks else "passes"}:
            wrong.append(f"{edit.name}: the list says it {'breaks' if edit.breaks else 'passes'}, the guard {ours}")
        their_word = theirs[0] if len(set(theirs)) == 1 else ", ".join(
            f"{word} ({', '.join(c + ' ' + o for (c, o), t in zip(configurations, theirs) if t == word)})"
            for word in sorted(set(theirs)))
        agrees = all((word != "same") == edit.breaks for word in theirs)
        disagreements += not agrees
        if agrees == bool(edit.explanation):
            wrong.append(f"{edit.name}: abidiff says {their_word}, "
                         + ("as the guard does, but it is explained" if agrees else "which nothing explains"))
        said = "<br>".join(f"`{r}`" for r in remarks)
        rows.append(row(number, edit, [*ours, said, their_word, edit.explanation]) + " |")
    if wrong:
        sys.exit("\n".join(wrong))
    breaking = sum(edit.breaks for edit in edits)
    version = run(["abidiff", "--version"]).stdout.strip().replace(":", "")
    heads = [run([c, "--version"]).stdout.splitlines()[0] for c in compilers]
    heading = ["", "edit", "should be", *[f"{c} {o}" for c, o in configurations], "what the guard says", "abidiff",
               "why they differ"]
    pathlib.Path(args.page).write_text(
        "<!-- SPDX-License-Identifier: MIT -->\n<!-- Made by ./dev guard-edits from tests/guard/edits/edits.txt. -->\n"
        f"# {len(edits)} edits of a C header, and what the guard says of each\n\n"
        f"Each edit was compiled for real, by {' and '.join(heads)}, at -O0 and at -O2. {breaking} can break a caller that "
        f"was compiled before the edit, and are refused; {len(edits) - breaking} can't, and pass, some with a note. The last "
        f"two columns are {version}'s verdict on the same files, and why it differs where it does, in {disagreements} rows. "
        "Its words are its exit status: same; changed (4); or incompatible (8), which is a removed symbol or worse. For the "
        "comparison, what is not the same counts as refused.\n\n" + f"| {' | '.join(heading)} |\n"
        + "|---" * len(heading) + "|\n" + "\n".join(rows) + "\n", encoding="utf-8")
    print(f"{len(edits)} edits, {disagreements} differences from abidiff, each explained: {args.page}")


def check(args):
    """Whether the page was made from this list: the same edits in the same order, with these verdicts and sentences."""
    edits = read(args.edits)
    rows = [line for line in pathlib.Path(args.page).read_text(encoding="utf-8").splitlines() if re.match(r"\| \d", line)]
    wrong = [f"{len(edits)} edits, but {len(rows)} rows"] if len(edits) != len(rows) else []
    for number, (edit, line) in enumerate(zip(edits, rows), 1):
        verdict = "refused" if edit.breaks else "passes"
        if not (line.startswith(row(number, edit, [verdict] * 4)) and edit.says in line
                and line.endswith(f"| {edit.explanation} |")):
            wrong.append(f"{edit.name}: its row is of another list")
    if wrong:
        sys.exit("\n".join([*wrong, "make the page anew: ./dev guard-edits"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("generate", help=generate.__doc__)
    one.add_argument("edits")
    one.add_argument("directory")
    one.set_defaults(run=generate)
    two = commands.add_parser("table", help=table.__doc__)
    two.add_argument("edits")
    two.add_argument("compare", help="the guard_compare executable")
    two.add_argument("page", help="the Markdown file")
    two.set_defaults(run=table)
    three = commands.add_parser("check", help=check.__doc__)
    three.add_argument("edits")
    three.add_argument("page")
    three.set_defaults(run=check)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
