// SPDX-License-Identifier: MIT
// call_test: `autoreload call` from end to end, on libraries that behave and on such that don't.
#include <algorithm>

#include "program.hpp"

namespace {

using support::autoreload;
using support::ran;

constexpr const char* source = R"(
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uchar.h>
#include <unistd.h>
#include <wchar.h>
struct shape { int r; const char *name; double w[2]; };
enum color { RED, GREEN = 5, BLUE };
typedef struct { int x, y; } point_t;
enum only_inside { LOUD = 3 };
int is_loud(int n) { return n == LOUD; }
int counter = 3;
const char *title = "hello";
const int fixed = 4;
struct shape table[2] = {{1, "one", {1, 2}}, {2, "two", {3, 4}}};
int add(int a, int b) { return a + b; }
double area(struct shape s) { return s.r * 3.5; }
double area_at(const struct shape *s) { return s->r * 2.5; }
int divide(int a, int b, int *rest) { *rest = a % b; return a / b; }
void fill(int *into, int n) { for (int i = 0; i < n; ++i) into[i] = i * i; }
enum color next(enum color c) { return c == RED ? GREEN : BLUE; }
point_t make_point(int x, int y) { return (point_t){x, y}; }
void say(const char *text) { printf("%s", text); }
void flood(int lines) { while (lines-- > 0) puts("all work and no play"), fputs("x", stderr); }
int poke(int *p) {
  return *p;  // here it crashes
}
size_t length(const char *s) { return strlen(s); }
static int down(int n) { volatile char b[1000]; b[0] = (char)n; return down(n + 1) + b[0]; }
int recurse(void) { return down(1); }
void hang(void) { for (;;) pause(); }
int forks(void) { return fork() > 0 ? 1 : 2; }
void fork_and_hang(void) { if (fork() == 0) for (;;) pause(); }
void leave(int n) { exit(n); }
void give_up(void) { abort(); }
void close_all(void) { for (int i = 0; i < 100; ++i) close(i); }
int apply(int (*f)(int, int), int a, int b) { return f(a, b); }
int (*hook)(int, int) = add;
static int inner_count = 40;
#define KEPT __attribute__((noinline))
static KEPT point_t inner(point_t p) { inner_count++; return (point_t){p.x + inner_count, p.y}; }
point_t outer(int n) { return inner((point_t){n, n}); }
int count_of(void) { return inner_count; }
size_t wide_length(const wchar_t *s) { return wcslen(s); }
const wchar_t *wide_tail(const wchar_t *s) { return s + 1; }
const char16_t *units(const char16_t *s) { return s; }
struct label { wchar_t text[8]; };
wchar_t first(struct label l) { return l.text[0]; }
)";

// `libsubject.so.c:24`, where the part of the source stands.
std::string line_with(const std::string& part) {
  const std::string text = source;
  return "libsubject.so.c:" +
         std::to_string(1 +
                        std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(text.find(part)), '\n'));
}

class Call : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    directory_ = new support::temp_directory;
    std::filesystem::create_directory(directory_->path() / "a directory");
    support::build_library(library(), source, "-fno-omit-frame-pointer");
  }
  static void TearDownTestSuite() { delete directory_; }
  static std::string library() { return (*directory_) / "a directory/libsubject.so"; }

  static ran call(std::vector<std::string> expressions) {
    expressions.insert(expressions.begin(), {"call", library()});
    return autoreload(expressions);
  }

 private:
  static inline support::temp_directory* directory_ = nullptr;
};

TEST_F(Call, PrintsOneLineForEachResultAndNothingElse) {
  const ran came = call({"add(1, 2.5)", "area((struct shape){.r = 2, .name = \"x\"})",
                         "area_at(&(struct shape){.r = 2})", "next(RED)", "make_point(1, 2)", "title", "table[1]",
                         "say(\"noise\\n\")", "NULL", "LOUD", "(enum color)5"});
  EXPECT_EQ(came.out,
            "3\n7.0\n5.0\nGREEN\n{.x = 1, .y = 2}\n\"hello\"\n{.r = 2, .name = \"two\", .w = {3.0, 4.0}}\n"
            "NULL\nLOUD\nGREEN\n");
  EXPECT_EQ(came.err, "noise\n");
  EXPECT_EQ(came.status, 0);
}

TEST_F(Call, ShowsNewObjectsAfterTheCallAndKeepsResultsAndVariables) {
  const ran came =
      call({"divide(7, 2, &int)", "$1 * 10 + $2", "fill(&int[4], 4)", "counter += 2", "counter",
            "apply(add, $1, apply(hook, 1, 1))", "sizeof(struct shape)", "make_point(3, 4).y", "table[0].name"});
  EXPECT_EQ(came.out, "3\n1\n31\n{0, 1, 4, 9}\n5\n5\n5\n32\n4\n\"one\"\n");
  EXPECT_EQ(came.status, 0);
}

TEST_F(Call, SaysWhatACompilerWouldWithACaretAndThePrototypeAndRunsNothing) {
  const ran came = call({"say(\"never\")", "add(1, \"x\")"});
  EXPECT_EQ(came.out, "");
  EXPECT_EQ(came.err,
            "error: argument 2 of \"add\": \"char *\" does not become \"int\"\n  add(1, \"x\")\n         ^~~\n"
            "  int add(int a, int b)\n");
  EXPECT_EQ(came.status, 1);
  EXPECT_EQ(call({"fixed = 5"}).err, "error: it is const\n  fixed = 5\n  ^~~~~\n");
  EXPECT_EQ(call({"ad(1)"}).err,
            "error: the library has no \"ad\" that its debug information describes\n  ad(1)\n  ^~\n");
  EXPECT_EQ(call({"*(int *)16"}).status, 1);
}

TEST_F(Call, SaysWhereACallCrashedInOneLineWithStatusThree) {
  const ran came = call({"add(1, 1)", "poke(NULL)", "add(2, 2)"});
  EXPECT_EQ(came.out, "2\n");
  EXPECT_EQ(came.err, "error: poke crashed: SIGSEGV in poke at " + line_with("here it crashes") + ", address NULL\n");
  EXPECT_EQ(came.status, 3);
}

TEST_F(Call, NamesTheCallerWhenAnotherLibraryCrashes) {
  const ran came = call({"length((char *)1)"});
  EXPECT_NE(came.err.find("called in length at " + line_with("size_t length")), std::string::npos) << came.err;
  EXPECT_EQ(came.status, 3);
  EXPECT_NE(call({"give_up()"}).err.find("SIGABRT, by abort() in give_up at " + line_with("void give_up")),
            std::string::npos);
  EXPECT_NE(call({"recurse()"}).err.find("the stack is full"), std::string::npos);
  EXPECT_NE(call({"(*(void (*)(void))16)()"}).err.find("where no code is"), std::string::npos);
}

TEST_F(Call, StopsACallThatHangsWithAllThatItForked) {
  const auto begin = std::chrono::steady_clock::now();
  const ran came = autoreload({"call", "--limit", "300ms", library(), "fork_and_hang()", "hang()"});
  EXPECT_EQ(came.err, "error: hang did not come back within 300 ms\n");
  EXPECT_EQ(came.status, 3);
  // The outputs were read to their end, so that no child of the library's holds them.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, support::patience);
}

TEST_F(Call, ReportsALibraryThatEndsTheProcess) {
  const ran came = call({"leave(4)"});
  EXPECT_EQ(came.err, "error: leave ended the process with exit status 4\n");
  EXPECT_EQ(came.status, 3);
}

TEST_F(Call, PrintsOnceWhenTheLibraryForksAndBothComeBack) { EXPECT_EQ(call({"forks()", "add(1, 1)"}).out, "1\n2\n"); }

TEST_F(Call, KeepsAFloodOfOutputAwayFromTheResults) {
  const ran came = call({"flood(20000)", "add(1, 1)"});
  EXPECT_EQ(came.out, "2\n");
  EXPECT_GT(came.err.size(), 20000U * 20);
}

TEST_F(Call, SurvivesALibraryThatClosesEveryDescriptor) {
  const ran came = call({"close_all()"});
  EXPECT_EQ(came.status, 3);
  EXPECT_NE(came.err.find("close_all"), std::string::npos);
}

TEST_F(Call, WritesJsonAndOtherBases) {
  const ran came = autoreload({"call", "--json", library(), "make_point(1, 2)", "table", "title", "next(RED)", "NULL"});
  EXPECT_EQ(
      came.out,
      "{\"x\":1,\"y\":2}\n[{\"r\":1,\"name\":\"one\",\"w\":[1.0,2.0]},{\"r\":2,\"name\":\"two\",\"w\":[3.0,4.0]}]\n"
      "\"hello\"\n\"GREEN\"\nnull\n");
  EXPECT_EQ(autoreload({"call", "--base", "16", library(), "add(254, 1)"}).out, "0xff\n");
}

TEST_F(Call, RefusesABadCommandLineWithStatusTwo) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{},
                                             {"frobnicate"},
                                             {"call"},
                                             {"call", library()},
                                             {"call", "--limit", "soon", library(), "1"},
                                             {"call", "--base", "7", library(), "1"},
                                             {"--color", "pink", "call", library(), "1"}}) {
    const ran came = autoreload(words);
    EXPECT_EQ(came.status, 2);
    EXPECT_EQ(came.out, "");
    EXPECT_EQ(came.err.substr(0, 7), "error: ") << came.err;
  }
  EXPECT_EQ(autoreload({"--help"}).status, 0);
  EXPECT_EQ(autoreload({"call", "--help"}).status, 0);
  EXPECT_EQ(autoreload({"--version"}).status, 0);
}

TEST_F(Call, SaysWhyALibraryCanNotBeLoadedOrHasNoTypes) {
  const support::temp_directory directory;
  support::build_library(directory / "broken.so", "int nowhere(void); int f(void) { return nowhere(); }");
  ran came = autoreload({"call", directory / "broken.so", "f()"});
  EXPECT_EQ(came.status, 1);
  EXPECT_NE(came.err.find("undefined symbol: nowhere"), std::string::npos) << came.err;
  support::build_library(directory / "bare.so", "int f(void) { return 1; }", "-g0");
  came = autoreload({"call", directory / "bare.so", "f()"});
  EXPECT_EQ(came.status, 1);
  EXPECT_NE(came.err.find("compile it with -g"), std::string::npos) << came.err;
  support::build_library(directory / "crash.so",
                         "__attribute__((constructor)) void f(void) { *(volatile int *)0 = 1; }");
  came = autoreload({"call", directory / "crash.so", "1"});
  EXPECT_EQ(came.status, 1);
  EXPECT_NE(came.err.find("while it was loaded the library crashed: SIGSEGV in f"), std::string::npos) << came.err;
  EXPECT_NE(autoreload({"call", "libnothing.so.9", "1"}).err.find("no library of this name"), std::string::npos);
  EXPECT_NE(autoreload({"call", directory / "none.so", "1"}).err.find("there is no such file"), std::string::npos);
  support::write_file(directory / "text.so", "no library");
  EXPECT_EQ(autoreload({"call", directory / "text.so", "1"}).status, 1);
}

TEST_F(Call, TakesTheTypesOfALibraryWithoutDebugInformationFromAHeader) {
  const support::temp_directory directory;
  support::write_file(directory / "own.h",
                      "#define UNIT 3\nstruct pair { short a; long b; };\nlong sum(struct pair p);\nextern int level;\n"
                      "#define LEVEL (UNIT + 4)\n#define LOW -5\n#define DEEP LEVEL\n#define BIG 0xffffffffffffffffUL\n"
                      "#define NAMED \"text\"\n#define OPEN (1\n#define HALF 0.5\n#define PLUS(n) (n + 1)\n"
                      "enum kind { KIND_A, KIND_B };\n");
  support::build_library(directory / "libown.so",
                         "#include \"own.h\"\nint level = 2;\nlong sum(struct pair p) { return p.a + p.b; }\nint "
                         "other(void) { return 1; }",
                         "-g0");
  const ran came = autoreload({"call", directory / "libown.so", "--header", directory / "own.h",
                               "sum((struct pair){1, 2})", "level", "sizeof(struct pair)"});
  EXPECT_EQ(came.out, "3\n2\n16\n") << came.err;
  EXPECT_EQ(autoreload({"call", directory / "libown.so", "--header", directory / "own.h", "LEVEL", "sizeof BIG", "BIG",
                        "DEEP - LOW", "KIND_B"})
                .out,
            "7\n8\n18446744073709551615\n12\nKIND_B\n");
  for (const char* const no_constant : {"NAMED", "OPEN", "HALF", "PLUS", "struct"}) {
    EXPECT_EQ(
        autoreload({"call", directory / "libown.so", "--header", directory / "own.h", "LEVEL", no_constant}).status, 1)
        << no_constant;
  }
  const ran missing = autoreload({"call", directory / "libown.so", "--header", directory / "own.h", "other()"});
  EXPECT_EQ(missing.status, 1);
  const ran wrong = autoreload({"call", directory / "libown.so", "--header", "no_such_header.h", "1"});
  EXPECT_EQ(wrong.status, 1);
  EXPECT_NE(wrong.err.find("no_such_header.h"), std::string::npos) << wrong.err;
}

TEST(CallEachCompiler, ReadsTheTypesThatGccAndClangWriteAtEachLevel) {
  int tried = 0;
  for (const std::string compiler : {"gcc", "clang"}) {
    if (!support::installed(compiler)) continue;
    for (const std::string flags :
         {"-O0 -g", "-O2 -g", "-O2 -g -gdwarf-4", "-O1 -gsplit-dwarf -g", "-O2 -g -Wl,-z,now -s"}) {
      SCOPED_TRACE(compiler + " " + flags);
      const support::temp_directory directory;
      support::write_file(directory / "subject.c", source);
      support::shell("cd '" + directory.path().string() + "' && " + compiler +
                     " -shared -fPIC -w -o lib.so subject.c " + flags);
      const ran came = autoreload({"call", directory / "lib.so", "make_point(1, add(1, 1))", "next(GREEN)",
                                   "divide(9, 4, &int)", "area((struct shape){.r = 1})", "table[0].w[1]"});
      if (flags.ends_with("-s")) {
        EXPECT_EQ(came.status, 1);
        continue;
      }
      EXPECT_EQ(came.out, "{.x = 1, .y = 2}\nBLUE\n2\n1\n3.5\n2.0\n") << came.err;
      ++tried;
    }
  }
  EXPECT_GT(tried, 0);
}

TEST_F(Call, ReachesStaticFunctionsAndVariables) {
  const ran came = autoreload({"call", library(), "inner_count", "inner((point_t){1, 2})", "count_of()",
                               "inner_count = 7", "outer(1)", "&inner_count != NULL", "sizeof inner_count"});
  EXPECT_EQ(came.lines(),
            (std::vector<std::string>{"40", "{.x = 42, .y = 2}", "41", "7", "{.x = 9, .y = 1}", "1", "4"}))
      << came.err;
}

TEST_F(Call, TakesAStaticFunctionOfItsOwnAndNotAnotherLibrarysOfThatName) {
  const support::temp_directory place;
  // Statics that have the names of libc's functions, in both of gcc's ways to write addresses down.
  for (const char* const flags : {"-gdwarf-4", "-gdwarf-5", "-gdwarf-5 -gsplit-dwarf"}) {
    const std::string path = place / "own.so";
    support::build_library(
        path,
        "static __attribute__((noinline)) int toupper(int c) { return c + 1000; } static int daylight = 77;\n"
        "int use(int c) { return toupper(c) + daylight++; }",
        flags);
    const ran came = autoreload({"call", path, "toupper(97)", "daylight"});
    EXPECT_EQ(came.out, "1097\n77\n") << flags << came.err;
  }
}

TEST_F(Call, KnowsNoStaticThatTwoUnitsHave) {
  const support::temp_directory place;
  support::write_file(place / "a.c", "static int same = 1; int a(void) { return same++; }");
  support::write_file(place / "b.c", "static int same = 2; int b(void) { return same++; }");
  support::shell("cd '" + place.path().string() + "' && ${AUTORELOAD_TEST_CC:-cc} -g -shared -fPIC -o two.so a.c b.c");
  const ran came = autoreload({"call", place / "two.so", "same"});
  EXPECT_EQ(came.status, 1);
  EXPECT_NE(came.err.find("has no \"same\""), std::string::npos) << came.err;
  EXPECT_NE(came.err.find("such as 'list.c'::same"), std::string::npos) << came.err;
  EXPECT_EQ(autoreload({"call", place / "two.so", "a()", "b()"}).out, "1\n2\n");
}

TEST_F(Call, NamesAFunctionsOwnVariablesAndWhatTwoUnitsHaveByTheirScope) {
  const support::temp_directory place;
  const std::string counts = "int NAME(void) { static int calls = FIRST; return ++calls * 10 + same++; }\n";
  const std::string work = "static __attribute__((noinline)) int times(int n) { return FACTOR * n; }\n";
  for (const auto& [file, values] : {std::pair{"a.c", "#define NAME a\n#define FIRST 0\n#define FACTOR 2\n"},
                                     std::pair{"b.c", "#define NAME b\n#define FIRST 5\n#define FACTOR 3\n"}}) {
    support::write_file(place / file, values + ("static int same = FACTOR;\n" + work) + counts + "int use_" + file[0] +
                                          "(int n) { return times(n); }\n");
  }
  int tried = 0;
  for (const std::string compiler : {"gcc -O0", "gcc -O2 -gdwarf-4", "clang -O0", "clang -O2"}) {
    if (!support::installed(compiler.substr(0, compiler.find(' ')))) continue;
    support::shell("cd '" + place.path().string() + "' && " + compiler + " -g -shared -fPIC -o two.so a.c b.c");
    const ran came = autoreload({"call", place / "two.so", "a()", "a::calls", "b::calls = 7", "b()", "'a.c'::same",
                                 "'b.c'::same", "'b.c'::times(5)", "'a.c'::times(5)", "*&'b.c'::b::calls"});
    EXPECT_EQ(came.out, "12\n1\n7\n83\n3\n4\n15\n10\n8\n") << compiler << came.err;
    for (const char* const wrong : {"calls", "times(1)", "a::same", "'c.c'::same", "'a.c'::", "a::"}) {
      EXPECT_EQ(autoreload({"call", place / "two.so", wrong}).status, 1) << wrong;
    }
    ++tried;
  }
  EXPECT_GT(tried, 0);
}

TEST_F(Call, WritesAndShowsWideStrings) {
  const ran came =
      autoreload({"call", library(), "wide_length(L\"h\\u00e4t\\x1f600\")", "wide_tail(L\"\u00e4b\" L\"c\")",
                  "units(u\"a\\U0001f600z\")", "first((struct label){L\"xyz\"}) == L'x'", "sizeof L\"ab\"",
                  "sizeof u\"ab\"", "sizeof U'a'", "(wchar_t[]){L\"ok\"}[1]", "u8\"\u00e4\""});
  EXPECT_EQ(came.lines(),
            (std::vector<std::string>{"4", "L\"bc\"", "u\"a\U0001f600z\"", "1", "12", "6", "4", "107", "\"\u00e4\""}))
      << came.err;
  for (const char* const wrong :
       {"wide_length(\"narrow\")", "length(L\"wide\")", "L\"a\" \"b\"", "L'ab'", "L\"\\xd800\"", "u'\\U0001f600'",
        "L\"\xff\"", "first((struct label){L\"far too long for it\"})"}) {
    EXPECT_EQ(autoreload({"call", library(), wrong}).status, 1) << wrong;
  }
}

}  // namespace
