#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# embed: writes the bytes of an executable as a C++ source file, so that no installed file has to be found.
import sys

executable, source, namespace, bytes_name, size_name = sys.argv[1:]
with open(executable, "rb") as file:
    content = file.read()
with open(source, "w", encoding="ascii") as out:
    out.write("// Made from an executable of the build.\n")
    out.write(f"namespace {namespace} {{\n")
    out.write(f"extern const unsigned long {size_name} = {len(content)};\n")
    out.write(f"extern const unsigned char {bytes_name}[] = {{\n")
    for at in range(0, len(content), 32):
        out.write(",".join(str(byte) for byte in content[at : at + 32]) + ",\n")
    out.write(f"}};\n}}  // namespace {namespace}\n")
