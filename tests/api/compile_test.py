#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a compiler says of programs that use the public headers: of wrong ones one sentence, of right ones nothing.

The include directories come in AUTORELOAD_INCLUDES, separated by colons. Each compiler that is there is asked.
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

COMPILERS = [compiler for compiler in ("g++", "clang++") if shutil.which(compiler)]
INCLUDES = os.environ["AUTORELOAD_INCLUDES"].split(":")
BACKENDS = [path.stem for directory in INCLUDES for path in pathlib.Path(directory).glob("autoreload/backends/*.hpp")]
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
ENVIRONMENT = {**os.environ, "LC_ALL": "C"}

PREFIX = """
#include <autoreload/autoreload.hpp>
#include <string>
extern "C" { int foo(void); int bar(void); extern int level; }
"""
HOST = 'int main() { autoreload::reloadable<Api> lib("libfoo.so"); return lib.loaded() ? 0 : 1; }'
FOREIGN_MEMBER = "an API struct has nothing but members of autoreload::required, optional, required_as and optional_as"


def compiled(compiler, source, *flags, standard="c++20"):
    """The exit status, and what was printed."""
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / "it.cpp"
        path.write_text(source)
        command = [compiler, "-std=" + standard, "-fsyntax-only", *flags]
        command += ["-I" + include for include in INCLUDES] + [str(path)]
        done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
        return done.returncode, done.stderr + done.stdout


class WrongPrograms(unittest.TestCase):
    """The first error is one sentence that says what to do, and no other error follows."""

    def refused(self, source, sentence, errors=1, **how):
        for compiler in COMPILERS:
            with self.subTest(compiler=compiler):
                status, text = compiled(compiler, source, **how)
                found = re.findall(r"^.*\berror: .*$", text, re.MULTILINE)
                self.assertNotEqual(status, 0, text)
                self.assertTrue(found and sentence in found[0], text)
                self.assertLessEqual(len(found), errors, text)
                self.assertLess(len(text.splitlines()), 25, text)

    def test_a_member_that_is_an_int(self):
        self.refused(PREFIX + "struct Api { autoreload::required<::foo> foo; int count; };" + HOST, FOREIGN_MEMBER)

    def test_only_a_member_that_is_an_int(self):
        self.refused(PREFIX + "struct Api { int count; };" + HOST, FOREIGN_MEMBER)

    def test_a_member_that_is_a_function_pointer(self):
        self.refused(PREFIX + "struct Api { autoreload::required<::foo> foo; int (*bar)(); };" + HOST, FOREIGN_MEMBER)

    def test_a_member_that_is_a_string(self):
        self.refused(PREFIX + "struct Api { autoreload::required<::foo> foo; std::string s; };" + HOST, FOREIGN_MEMBER)

    def test_private_members(self):
        self.refused(PREFIX + "class Api { autoreload::required<::foo> foo; };" + HOST, FOREIGN_MEMBER)

    def test_no_struct_at_all(self):
        self.refused(PREFIX + "using Api = int;" + HOST, FOREIGN_MEMBER)

    def test_an_empty_struct(self):
        self.refused(PREFIX + "struct Api {};" + HOST, "this API struct is empty: give it a member")

    def test_each_backend_s_own_module(self):
        for backend in BACKENDS:
            host = f'int main() {{ return autoreload::{backend}::module<Api>::load("libfoo.so", 2) ? 0 : 1; }}'
            self.refused(PREFIX + "struct Api { autoreload::required<::foo> foo; int count; };" + host, FOREIGN_MEMBER)

    def test_a_question_whether_a_required_symbol_is_there(self):
        host = 'int main() { autoreload::reloadable<Api> lib("libfoo.so"); if (lib->foo) return lib->foo(); }'
        self.refused(PREFIX + "struct Api { autoreload::required<::foo> foo; };" + host,
                     "a required symbol is always there: declare it autoreload::optional to ask for it")

    def test_an_older_standard(self):
        # The second error is how the compiler is stopped.
        for standard in ("c++11", "c++17"):
            self.refused(PREFIX, "autoreload needs C++20: compile with -std=c++20 or newer", errors=2, standard=standard)

    def test_an_older_standard_in_each_header(self):
        for header in headers():
            status, text = compiled(COMPILERS[0], f"#include <{header}>\n", standard="c++17")
            self.assertNotEqual(status, 0, header)
            first = re.findall(r"^.*\berror: .*$", text, re.MULTILINE)[0]
            self.assertIn("autoreload needs C++20", first, header)


class RightPrograms(unittest.TestCase):
    def accepted(self, source, *flags, compilers=None):
        for compiler in compilers or COMPILERS:
            with self.subTest(compiler=compiler):
                status, text = compiled(compiler, source, *WARNINGS, *flags)
                self.assertEqual((status, text), (0, ""))

    def test_a_va_list_parameter_makes_no_warning(self):
        self.accepted("#include <cstdarg>\n" + PREFIX + """
            extern "C" { int print(const char*, va_list); void keep(va_list*); int (*find(void))(va_list); }
            struct Api {
              autoreload::required<::print> print;
              autoreload::required<::keep> keep;
              autoreload::optional<::find> find;
            };""" + HOST)

    def test_a_host_without_exceptions_or_type_information(self):
        own = "".join(f"#include <{header}>\n" for header in headers())
        api = """struct Api {
              autoreload::required<::foo> foo;
              autoreload::optional<::bar> bar;
              autoreload::optional<::level> level;
            };"""
        host = """
            int main() {
              autoreload::reloadable<Api> lib("libfoo.so");
              if (!lib.loaded() || !lib.reload()) return 1;
              if (auto alone = autoreload::raii::library::open("libfoo.so"); alone) (void)alone->get<int(void)>("foo");
              const auto pin = lib.pin();
              return lib->foo() + (pin->bar ? pin->bar() : 0) + (pin->level ? *pin->level : 0) + lib.call<&Api::foo>() +
                     lib.try_call<&Api::bar>().value_or(0) + autoreload::result<int>(1).value();
            }"""
        for flags in (["-fno-exceptions"], ["-fno-rtti"], ["-fno-exceptions", "-fno-rtti"]):
            self.accepted(own + PREFIX + api + host, *flags)

    def test_attributes_that_are_part_of_a_type(self):
        def program(attributes):
            functions = "".join(f"__attribute__(({a})) void leave{i}(int); " for i, a in enumerate(attributes))
            fields = "".join(f"autoreload::optional<::leave{i}> f{i}; " for i, a in enumerate(attributes))
            return PREFIX + f'extern "C" {{ {functions} }} struct Api {{ {fields} }};' + HOST

        on_x86_64 = os.uname().machine == "x86_64"
        self.accepted(program(["noreturn"] + ["ms_abi"] * on_x86_64))
        if "clang++" in COMPILERS and on_x86_64:
            clang_s = ["preserve_most", "preserve_all", "vectorcall", "regcall", "noreturn, ms_abi"]
            self.accepted(program(clang_s), compilers=["clang++"])

    # Qt, X11, Windows, <complex.h>, <sys/sysmacros.h>, ncurses and Apple define these, and so do old compilers.
    MACROS = """
        slots= signals=public emit= foreach(a,b)= forever=for(;;) None=0L Status=int Bool=int True=1 False=0 Always=2
        Success=0 Complex=0 Unsorted=0 Above=0 Below=1 KeyPress=2 min(a,b)=a max(a,b)=a small=char near= far=
        interface=struct IN= OUT= OPTIONAL= ERROR=0 DELETE=1 NO_ERROR=0 I=_Complex_I major(x)=x minor(x)=x
        makedev(x,y)=x linux=1 unix=1 timeout(x)=x erase()=0 clear()=0 filter()=0 verify(x)=x
        require(x,y)=x EMPTY= BLOCK= CONST=const VOID=void STRICT=1 TRUE=1 FALSE=0
    """.split()

    def test_every_public_header_survives_the_macros_of_others(self):
        standard = sorted({line for header in headers() for line in standard_includes(header)})
        macros = "".join(f"#undef {m.split('=')[0].split('(')[0]}\n#define {m.replace('=', ' ', 1)}\n" for m in self.MACROS)
        own = "".join(f"#include <{header}>\n" for header in headers())
        host = 'int main() { autoreload::reloadable<Api> lib("libfoo.so"); return lib->foo() + *lib->level; }'
        api = "struct Api { autoreload::required<::foo> foo; autoreload::required<::level> level; };"
        self.accepted("\n".join(standard) + "\n" + macros + own + PREFIX + api + host)


def headers():
    found = []
    for directory in INCLUDES:
        found += [str(p.relative_to(directory)) for p in sorted(pathlib.Path(directory).glob("autoreload/**/*.hpp"))]
    return found


def standard_includes(header):
    for directory in INCLUDES:
        path = pathlib.Path(directory) / header
        if path.exists():
            return re.findall(r"^#include <(?!autoreload)[^>]+>", path.read_text(), re.MULTILINE)
    return []


if __name__ == "__main__":
    unittest.main()
