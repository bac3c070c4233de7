#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# guard_libraries: makes what the benchmark of the ABI guard reads: a library of a hundred functions, the same without
# debug information, the same among 50 MB of it, and the API struct of a host that calls the hundred.
import pathlib
import shlex
import subprocess
import sys

FUNCTIONS = 100
STRUCTS = 20
TARGET = 50 << 20  # bytes of debug information


def header():
    text = ["#pragma once", "#include <stdint.h>", "#ifdef __cplusplus", 'extern "C" {', "#endif",
            "enum quality { QUALITY_LOW, QUALITY_MIDDLE, QUALITY_HIGH };"]
    for s in range(STRUCTS):
        inner = f"  struct part_{s - 1} *previous;\n" if s != 0 else ""
        text.append(f"struct part_{s} {{\n  int32_t id;\n  double weight;\n  const char *name;\n  enum quality quality;\n"
                    f"  unsigned visible : 1, locked : 1;\n  union {{ int64_t number; float real; }} value;\n"
                    f"  void (*changed)(struct part_{s} *, int32_t);\n{inner}}};")
    for f in range(FUNCTIONS):
        text.append(f"int32_t call_{f}(const struct part_{f % STRUCTS} *part, enum quality quality, int32_t count);")
    return "\n".join([*text, "#ifdef __cplusplus", "}", "#endif", ""])


def source(answer):
    return '#include "guard_hundred.h"\n' + "".join(
        f"int32_t call_{f}(const struct part_{f % STRUCTS} *part, enum quality quality, int32_t count) "
        f"{{ return part->id + (int32_t)quality + count + {answer}; }}\n" for f in range(FUNCTIONS))


def api():
    fields = "".join(f"  autoreload::required<::call_{f}> call_{f};\n" for f in range(FUNCTIONS))
    return f'#pragma once\n#include <autoreload/symbol.hpp>\n#include "guard_hundred.h"\nstruct hundred {{\n{fields}}};\n'


def bulk():
    """One unit of types that nobody asks for."""
    text = []
    for s in range(2000):
        members = "".join(f"  struct other_{(s * 7 + m) % (s + 1)} *member_{s}_{m};\n" for m in range(16))
        text.append(f"struct other_{s} {{\n{members}}};")
    text.append("static int __attribute__((used)) touch(struct other_1999 *o) { return o != 0; }\n")
    return "\n".join(text)


def run(*command):
    subprocess.run(command, check=True)


def debug_size(library):
    listing = subprocess.run(["readelf", "-SW", library], check=True, capture_output=True, text=True).stdout
    sizes = [line.split("]", 1)[1].split() for line in listing.splitlines() if ".debug_" in line]
    return sum(int(fields[4], 16) for fields in sizes)


def main():
    cc, output = shlex.split(sys.argv[1]), pathlib.Path(sys.argv[2])
    (output / "guard_hundred.h").write_text(header(), encoding="utf-8")
    (output / "guard_hundred.hpp").write_text(api(), encoding="utf-8")
    for name, answer in (("before", 1), ("after", 2)):
        (output / f"guard_hundred_{name}.c").write_text(source(answer), encoding="utf-8")
        run(*cc, "-g", "-O1", "-fPIC", "-c", output / f"guard_hundred_{name}.c", "-o", output / f"guard_{name}.o")
        run(*cc, "-shared", output / f"guard_{name}.o", "-o", output / f"guard_small_{name}.so")
    run("strip", "-g", output / "guard_small_after.so", "-o", output / "guard_stripped.so")

    (output / "guard_bulk.c").write_text(bulk(), encoding="utf-8")
    run(*cc, "-g", "-O0", "-fPIC", "-fno-eliminate-unused-debug-types", "-c", output / "guard_bulk.c",
        "-o", output / "guard_bulk.o")
    run(*cc, "-shared", output / "guard_bulk.o", "-o", output / "guard_large_after.so")
    copies = TARGET // debug_size(output / "guard_large_after.so") + 1
    while True:  # strings are shared between the units, so the size does not grow in proportion
        run(*cc, "-shared", *[output / "guard_bulk.o"] * copies, output / "guard_after.o",
            "-o", output / "guard_large_after.so")
        size = debug_size(output / "guard_large_after.so")
        if size >= TARGET:
            break
        copies = copies * TARGET // size + 1


if __name__ == "__main__":
    main()
