#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# guard_libraries: makes what the benchmark of the ABI guard reads: a library of two functions, one of a hundred, the
# same without debug information, the same among 50 MB of it; and the API structs of a host that calls them.
#
# usage: guard_libraries.py headers DIRECTORY
#        guard_libraries.py libraries DIRECTORY COMPILER
import pathlib
import subprocess
import sys

FUNCTIONS = {"two": 2, "hundred": 100}
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
    for f in range(max(FUNCTIONS.values())):
        text.append(f"int32_t call_{f}(const struct part_{f % STRUCTS} *part, enum quality quality, int32_t count);")
    return "\n".join([*text, "#ifdef __cplusplus", "}", "#endif", ""])


def apis():
    text = '#pragma once\n#include <autoreload/symbol.hpp>\n#include "guard_library.h"\n'
    for name, count in FUNCTIONS.items():
        fields = "".join(f"  autoreload::required<::call_{f}> call_{f};\n" for f in range(count))
        text += f"struct {name} {{\n{fields}}};\n"
    return text


def source(functions, answer):
    return '#include "guard_library.h"\n' + "".join(
        f"int32_t call_{f}(const struct part_{f % STRUCTS} *part, enum quality quality, int32_t count) "
        f"{{ return part->id + (int32_t)quality + count + {answer}; }}\n" for f in range(functions))


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


def libraries(directory, compiler):
    def here(name):
        return directory / f"guard_{compiler}_{name}"

    def compile_text(name, text, *flags):
        here(name + ".c").write_text(text, encoding="utf-8")
        run(compiler, "-g", *flags, "-fPIC", "-I", directory, "-c", here(name + ".c"), "-o", here(name + ".o"))
        return here(name + ".o")

    for name, count in FUNCTIONS.items():
        for version, answer in (("before", 1), ("after", 2)):
            part = compile_text(f"{name}_{version}", source(count, answer), "-O1")
            run(compiler, "-shared", part, "-o", here(f"{name}_{version}.so"))
    run("strip", "-g", here("hundred_after.so"), "-o", here("stripped.so"))

    other = compile_text("bulk", bulk(), "-O0", "-fno-eliminate-unused-debug-types")
    large = here("large.so")
    copies, size = 1, 0
    while size < TARGET:  # strings are shared between the units, so the size does not grow in proportion
        run(compiler, "-shared", *[other] * copies, here("hundred_after.o"), "-o", large)
        size = debug_size(large)
        copies = copies * TARGET // size + 1


def main():
    command, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    if command == "headers":
        (directory / "guard_library.h").write_text(header(), encoding="utf-8")
        (directory / "guard_library.hpp").write_text(apis(), encoding="utf-8")
    else:
        libraries(directory, sys.argv[3])


if __name__ == "__main__":
    main()
