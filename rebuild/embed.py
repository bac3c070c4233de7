#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# embed: writes the bytes of the supervisor as a C++ source file, so that no installed file has to be found.
import sys

executable, source = sys.argv[1:]
with open(executable, "rb") as file:
    content = file.read()
with open(source, "w", encoding="ascii") as out:
    out.write("// Made from the supervisor's executable.\n")
    out.write("namespace autoreload::building {\n")
    out.write(f"extern const unsigned long supervisor_size = {len(content)};\n")
    out.write("extern const unsigned char supervisor_bytes[] = {\n")
    for at in range(0, len(content), 32):
        out.write(",".join(str(byte) for byte in content[at : at + 32]) + ",\n")
    out.write("};\n}  // namespace autoreload::building\n")
