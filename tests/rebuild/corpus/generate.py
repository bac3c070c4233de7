#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# generate: runs real compilers, linkers and build tools on broken sources and keeps what they print, a file for each.
import os
import shutil
import subprocess
import sys
import tempfile

BROKEN = {
    "syntax": "int foo(void) {\n  return 4\n}\n",
    "undeclared": "int foo(void) {\n  return missing;\n}\n",
    "conflict": "int foo(void);\nlong foo(void) { return 4; }\n",
    "warnings": "int foo(void) {\n  int unused;\n  return 1 ? 2 : \"text\";\n}\n",
    "implicit": "int foo(void) {\n  return bar(4);\n}\n",
    "include": '#include "nowhere.h"\nint foo(void) { return 4; }\n',
    "in_header": '#include "broken.h"\nint foo(void) { return 4; }\n',
    "in_macro": '#include "macro.h"\nint foo(void) { return TWICE(missing); }\n',
    "hash_error": "#error this needs another machine\nint foo(void) { return 4; }\n",
    "many": "".join(f"int f{i}(void) {{ return a{i}; }}\n" for i in range(3)),
    "assembly": "int foo(void) {\n  __asm__(\"no_such_instruction\");\n  return 4;\n}\n",
    "unknown_type": "strange_t foo(void) { return 4; }\n",
    "unterminated": "int foo(void) {\n  return 4;\n",
    "string": "const char* foo(void) { return \"open; }\n",
}
OTHER = {
    "broken.h": "int broken(\n;\n",
    "macro.h": "#define TWICE(x) (2 * (x))\n",
    "undefined.c": "int missing(int);\nint foo(void) {\n  return missing(4);\n}\n",
    "double.c": "int foo(void) { return 4; }\n",
    "double2.c": "int foo(void) { return 5; }\n",
    "no_pic.c": "int counter;\nint foo(void) { return ++counter; }\n",
    "good.c": "int foo(void) { return 4; }\n",
    "text.s": "  movl %eax\n  nonsense %rax, %rbx\n",
}

# name: command in the directory with the sources above
CASES = {}
for compiler in ["gcc", "clang", "tcc"]:
    for kind in BROKEN:
        flags = " -Wall" if kind == "warnings" else ""
        CASES[f"{compiler}-{kind}"] = f"{compiler}{flags} -c {kind}.c"
    CASES[f"{compiler}-no-input"] = f"{compiler} -c no_such_file.c"
    CASES[f"{compiler}-no-option"] = f"{compiler} --no-such-option -c good.c"
for linker in ["bfd", "gold", "lld", "mold"]:
    for compiler in ["gcc", "clang"]:
        to = f"{compiler} -g -shared -fPIC -o libfoo.so -fuse-ld={linker} "
        CASES[f"{linker}-{compiler}-undefined"] = to + "undefined.c -Wl,-z,defs"
        CASES[f"{linker}-{compiler}-undefined-without-g"] = to + "-g0 undefined.c -Wl,-z,defs"
        CASES[f"{linker}-{compiler}-double"] = to + "double.c double2.c"
        CASES[f"{linker}-{compiler}-library"] = to + "good.c -lnowhere"
    CASES[f"{linker}-no-object"] = f"gcc -shared -o libfoo.so -fuse-ld={linker} nowhere.o"
    CASES[f"{linker}-no-pic"] = f"gcc -fno-pic -mcmodel=medium -mlarge-data-threshold=0 -c no_pic.c && gcc -shared -o libfoo.so -fuse-ld={linker} no_pic.o"
    CASES[f"{linker}-not-an-object"] = f"cp good.c text.o && gcc -shared -o libfoo.so -fuse-ld={linker} text.o"
CASES["tcc-link-undefined"] = "tcc -o program undefined.c"
CASES["tcc-link-library"] = "tcc -shared -o libfoo.so good.c -lnowhere"
CASES["gcc-colours"] = "gcc -fdiagnostics-color=always -c undeclared.c"
CASES["gcc-colours-warning"] = "gcc -Wall -fdiagnostics-color=always -c warnings.c"
CASES["clang-colours"] = "clang -fcolor-diagnostics -c undeclared.c"
CASES["gcc-werror"] = "gcc -Wall -Werror -c warnings.c"
CASES["clang-werror"] = "clang -Wall -Werror -c warnings.c"
CASES["gcc-assembler"] = "gcc -c text.s"
CASES["clang-assembler"] = "clang -c text.s"
CASES["gcc-good"] = "gcc -c good.c"
CASES["gcc-absolute"] = "gcc -c $PWD/undeclared.c"
CASES["cxx-template"] = "g++ -c template.cpp"
CASES["clangxx-template"] = "clang++ -c template.cpp"
OTHER["template.cpp"] = "#include <vector>\nint foo() {\n  std::vector<int> v;\n  v.push_back(\"text\");\n  return 4;\n}\n"

MAKE = "libfoo.so: lib.o\n\tcc -shared -o $@ $^\nlib.o: lib.c\n\tcc -c -fPIC lib.c\n"
NINJA = ("rule cc\n  command = cc -c -fPIC -fdiagnostics-color=always $in -o $out\nrule link\n  command = cc -shared $in -o $out\n"
         "build lib.o: cc lib.c\nbuild libfoo.so: link lib.o\n")
CMAKE = "cmake_minimum_required(VERSION 3.16)\nproject(foo C)\nadd_library(foo SHARED lib.c)\n"
MESON = "project('foo', 'c')\nshared_library('foo', 'lib.c')\n"
BAD = BROKEN["undeclared"]
GOOD = OTHER["good.c"]
# name: files, command
PROJECTS = {
    "make-compile": ({"Makefile": MAKE, "lib.c": BAD}, "make"),
    "make-good": ({"Makefile": MAKE, "lib.c": GOOD}, "make"),
    "make-no-rule": ({"Makefile": MAKE}, "make"),
    "make-no-target": ({"Makefile": MAKE}, "make libbar.so"),
    "make-no-makefile": ({}, "make"),
    "make-separator": ({"Makefile": "all:\n    echo spaces\n"}, "make"),
    "make-missing-endif": ({"Makefile": "ifdef A\nall:\n"}, "make"),
    "make-no-program": ({"Makefile": "all:\n\tno-such-compiler -c lib.c\n"}, "make"),
    "make-recursive": ({"Makefile": "all:\n\t$(MAKE) -C sub\n", "sub/Makefile": MAKE, "sub/lib.c": BAD}, "make"),
    "make-error-function": ({"Makefile": "$(error set CC first)\nall:\n"}, "make"),
    "make-warning-function": ({"Makefile": "$(warning CC is old)\nall:\n\t@echo fine\n"}, "make"),
    "make-up-to-date": ({"Makefile": MAKE, "lib.c": GOOD}, "make > /dev/null 2>&1; make"),
    "ninja-compile": ({"build.ninja": NINJA, "lib.c": BAD}, "ninja"),
    "ninja-compile-colours": ({"build.ninja": NINJA, "lib.c": BAD}, "CLICOLOR_FORCE=1 ninja"),
    "ninja-good": ({"build.ninja": NINJA, "lib.c": GOOD}, "ninja"),
    "ninja-no-work": ({"build.ninja": NINJA, "lib.c": GOOD}, "ninja > /dev/null 2>&1; ninja"),
    "ninja-no-source": ({"build.ninja": NINJA}, "ninja"),
    "ninja-no-target": ({"build.ninja": NINJA, "lib.c": GOOD}, "ninja libbar.so"),
    "ninja-no-file": ({}, "ninja"),
    "ninja-syntax": ({"build.ninja": "rule cc\n  commandd = cc\nbuild x: cc y\n"}, "ninja"),
    "ninja-link": ({"build.ninja": NINJA.replace("-shared", "-shared -Wl,-z,defs"), "lib.c": OTHER["undefined.c"]}, "ninja"),
    "ninja-cycle": ({"build.ninja": "rule r\n  command = true\nbuild a: r b\nbuild b: r a\n"}, "ninja a"),
    "cmake-compile": ({"CMakeLists.txt": CMAKE, "lib.c": BAD}, "cmake -S . -B build > /dev/null 2>&1; cmake --build build"),
    "cmake-ninja-compile": ({"CMakeLists.txt": CMAKE, "lib.c": BAD}, "cmake -G Ninja -S . -B build > /dev/null 2>&1; cmake --build build"),
    "cmake-good": ({"CMakeLists.txt": CMAKE, "lib.c": GOOD}, "cmake -S . -B build > /dev/null 2>&1; cmake --build build"),
    "cmake-no-source": ({"CMakeLists.txt": CMAKE}, "cmake -S . -B build | grep -v '^--'"),
    "cmake-unknown-command": ({"CMakeLists.txt": CMAKE + "no_such_command(x)\n", "lib.c": GOOD}, "cmake -S . -B build | grep -v '^--'"),
    "cmake-parse": ({"CMakeLists.txt": CMAKE + "set(x\n", "lib.c": GOOD}, "cmake -S . -B build"),
    "cmake-message-warning": ({"CMakeLists.txt": CMAKE + 'message(WARNING "this is old")\n', "lib.c": GOOD}, "cmake -S . -B build | grep -v '^--'"),
    "cmake-fatal": ({"CMakeLists.txt": CMAKE + 'message(FATAL_ERROR "this is too old")\n', "lib.c": GOOD}, "cmake -S . -B build | grep -v '^--'"),
    "cmake-no-cache": ({"build/x": ""}, "cmake --build build"),
    "cmake-reconfigure": ({"CMakeLists.txt": CMAKE, "lib.c": GOOD},
                          "cmake -G Ninja -S . -B build > /dev/null 2>&1; sleep 1.1; echo 'no_such_command(x)' >> CMakeLists.txt; cmake --build build | grep -v '^--'"),
    "meson-compile": ({"meson.build": MESON, "lib.c": BAD}, "meson setup build > /dev/null 2>&1; ninja -C build"),
    "meson-reconfigure": ({"meson.build": MESON, "lib.c": GOOD},
                          "meson setup build > /dev/null 2>&1; sleep 1.1; echo 'unknown_function()' >> meson.build; ninja -C build"),
    "meson-syntax": ({"meson.build": MESON + "if true\n", "lib.c": GOOD}, "meson setup build"),
    "shell-no-program": ({}, "sh -c 'no-such-compiler -c lib.c'"),
    "shell-bash-no-program": ({}, "bash -c 'no-such-compiler -c lib.c'"),
    "ccache-compile": ({"lib.c": BAD}, "ccache gcc -c lib.c"),
    "ccache-no-program": ({"lib.c": BAD}, "ccache no-such-compiler -c lib.c"),
}


def keep(into, name, directory, command):
    environment = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME")} | {"LC_ALL": "C.UTF-8"}
    done = subprocess.run(["bash", "-c", command], cwd=directory, env=environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    text = done.stdout.replace(directory.encode(), b"/home/me/project")
    with open(os.path.join(into, name + ".txt"), "wb") as file:
        file.write(text[:6000])


def main():
    into = os.path.join(os.path.dirname(os.path.abspath(__file__)), "outputs")
    chosen = sys.argv[1:]
    directory = tempfile.mkdtemp()
    for name, text in {k + ".c": v for k, v in BROKEN.items()}.items():
        open(os.path.join(directory, name), "w", encoding="utf-8").write(text)
    for name, text in OTHER.items():
        open(os.path.join(directory, name), "w", encoding="utf-8").write(text)
    for name, command in CASES.items():
        if not chosen or name in chosen:
            keep(into, name, directory, command)
    shutil.rmtree(directory)
    for name, (files, command) in PROJECTS.items():
        if chosen and name not in chosen:
            continue
        directory = tempfile.mkdtemp()
        for path, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(directory, path)), exist_ok=True)
            open(os.path.join(directory, path), "w", encoding="utf-8").write(text)
        keep(into, name, directory, command)
        shutil.rmtree(directory)


main()
