// SPDX-License-Identifier: MIT
// check_test: `autoreload check` and `autoreload api` from end to end.
#include "program.hpp"

namespace {

using support::autoreload;
using support::ran;

constexpr const char* first_build = R"(
struct point { int x, y; };
int foo(int n) { return n; }
double length(struct point p) { return p.x; }
int gone(void) { return 1; }
int level;
)";
constexpr const char* second_build = R"(
struct point { int x; long y; };
int foo(long n) { return (int)n; }
double length(struct point p) { return p.x; }
int fresh(void) { return 1; }
int level;
)";

TEST(Check, SaysThatALibraryIsLoadableAndWhatItExports) {
  const support::temp_directory directory;
  support::build_library(directory / "libsubject.so", first_build);
  const ran came = autoreload({"check", directory / "libsubject.so"});
  EXPECT_EQ(came.out, "loadable: " + (directory / "libsubject.so") +
                          "\nexports: int foo(int n)\nexports: int gone(void)\nexports: double length(struct point p)\n"
                          "exports: int level\n");
  EXPECT_EQ(came.err, "");
  EXPECT_EQ(came.status, 0);
}

TEST(Check, NamesTheFlagThatMendsAHazard) {
  const support::temp_directory directory;
  support::build_library(directory / "libsubject.so", "int foo(void) { return 1; }", "-Wl,-z,nodelete");
  const ran came = autoreload({"check", directory / "libsubject.so"});
  EXPECT_NE(came.out.find("hazard: "), std::string::npos);
  EXPECT_NE(came.out.find("nodelete"), std::string::npos) << came.out;
  EXPECT_EQ(came.status, 0);
}

TEST(Check, SaysWhyALibraryWouldBeRefused) {
  const support::temp_directory directory;
  support::build_library(directory / "libsubject.so", "int nowhere(void); int foo(void) { return nowhere(); }");
  ran came = autoreload({"check", directory / "libsubject.so"});
  EXPECT_NE(came.out.find("refused: "), std::string::npos);
  EXPECT_NE(came.out.find("undefined symbol: nowhere"), std::string::npos) << came.out;
  EXPECT_EQ(came.status, 1);
  support::write_file(directory / "text.so", "this is no library\n");
  came = autoreload({"check", directory / "text.so"});
  EXPECT_EQ(came.out.substr(0, 9), "refused: ");
  EXPECT_EQ(came.status, 1);
}

TEST(Check, TellsWhatBecameDifferentSinceAnOlderBuild) {
  const support::temp_directory directory;
  support::build_library(directory / "old.so", first_build);
  support::build_library(directory / "new.so", second_build);
  const ran came = autoreload({"check", directory / "new.so", "--against", directory / "old.so"});
  for (const std::string part : {"difference: gone: removed\n", "difference: foo", "int became long",
                                 "difference: struct point", "harmless: fresh: new\n"}) {
    EXPECT_NE(came.out.find(part), std::string::npos) << part << "\n" << came.out;
  }
  EXPECT_EQ(came.status, 1);
  const ran same = autoreload({"check", directory / "old.so", "--against", directory / "old.so"});
  EXPECT_NE(same.out.find("compatible: with " + (directory / "old.so")), std::string::npos) << same.out;
  EXPECT_EQ(same.status, 0);
}

TEST(Check, NeverCallsCompatibleWhatItCouldNotSee) {
  const support::temp_directory directory;
  support::build_library(directory / "old.so", first_build, "-g0");
  support::build_library(directory / "new.so", first_build);
  EXPECT_EQ(autoreload({"check", directory / "new.so", "--against", directory / "old.so"}).status, 1);
  EXPECT_EQ(autoreload({"check", directory / "old.so", "--against", directory / "new.so"}).status, 1);
}

std::string includes() { return std::getenv("AUTORELOAD_INCLUDES"); }

TEST(Check, ComparesWithWhatAHostExpects) {
  const support::temp_directory directory;
  support::build_library(directory / "old.so", first_build);
  support::build_library(directory / "new.so", second_build);
  support::write_file(directory / "host.cpp", R"(
#include <autoreload/autoreload.hpp>
struct point { int x, y; };
extern "C" { int foo(int n); double length(point p); int gone(void); extern int level; }
struct Api {
  autoreload::required<::foo> foo;
  autoreload::required<::length> length;
  autoreload::optional<::gone> gone;
  autoreload::required<::level> level;
};
int main() { return autoreload::symbols_of<Api>().size() == 4 ? 0 : 1; }
)");
  int tried = 0;
  for (const std::string compiler : {"g++", "clang++"}) {
    if (!support::installed(compiler)) continue;
    SCOPED_TRACE(compiler);
    ++tried;
    support::shell(compiler + " -std=c++20 -g -O0 " + includes() + " -c -o '" + (directory / "host.o") + "' '" +
                   (directory / "host.cpp") + "'");
    // The host is not run; what the engine's library would define may stay undefined.
    support::shell(compiler + " -Wl,--unresolved-symbols=ignore-all -o '" + (directory / "host") + "' '" +
                   (directory / "host.o") + "'");
    const ran came = autoreload({"check", directory / "new.so", "--against", directory / "host"});
    for (const std::string part : {"difference: foo", "difference: gone: the host knows it", "struct point"}) {
      EXPECT_NE(came.out.find(part), std::string::npos) << part << "\n" << came.out << came.err;
    }
    EXPECT_EQ(came.status, 1);
    const ran same = autoreload({"check", directory / "old.so", "--against", directory / "host"});
    EXPECT_NE(same.out.find("compatible: with the host"), std::string::npos) << same.out << same.err;
    EXPECT_EQ(same.status, 0);
  }
  EXPECT_GT(tried, 0);
  EXPECT_NE(autoreload({"check", directory / "old.so", "--against", "/bin/true"}).status, 0);
}

TEST(Check, WritesJson) {
  const support::temp_directory directory;
  support::build_library(directory / "libsubject.so", "int foo(int n) { return n; }");
  const ran came = autoreload({"check", "--json", directory / "libsubject.so"});
  EXPECT_NE(came.out.find("\"loadable\": true"), std::string::npos) << came.out;
  EXPECT_NE(came.out.find("\"prototype\": \"int foo(int n)\""), std::string::npos) << came.out;
}

// Compiles a program that includes the header and loads the library by it.
void expect_that_it_compiles(const support::temp_directory& directory, const std::string& header,
                             const std::string& api) {
  support::write_file(
      directory / "host.cpp",
      "#include \"" + header +
          "\"\n#include <autoreload/backends/symbols.hpp>\nint main() { return autoreload::symbols::module<" + api +
          ">::load(\"./none\") ? 1 : 0; }\n");
  int tried = 0;
  for (const std::string compiler : {"g++", "clang++"}) {
    if (!support::installed(compiler)) continue;
    ++tried;
    EXPECT_NO_THROW(support::shell(compiler + " -std=c++20 -O0 -Wall -Wextra -Wpedantic -Werror " + includes() +
                                   " -c -o '" + (directory / "host.o") + "' '" + (directory / "host.cpp") + "'"));
  }
  EXPECT_GT(tried, 0);
}

TEST(Api, WritesAHeaderFromDebugInformationThatCompilesAsItIs) {
  const support::temp_directory directory;
  support::build_library(directory / "libmy-subject.so", R"(
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
typedef struct { int x, y; } point_t;
typedef struct list { struct list *next; union { int i; float f; }; point_t at; enum { A_LOW, A_HIGH } how; } list;
struct bits { unsigned a : 3; unsigned : 5; int b : 9; };
struct __attribute__((packed)) tight { char c; int i; };
struct aligned { _Alignas(32) int i; };
struct opaque;
struct node { struct node *left, *right; struct value { int kind; void *data; } value; char text[]; };
enum class_kind { NEW, DELETE_IT = -3 };
typedef int (*compare_t)(const void *, const void *);
struct callbacks { compare_t compare; void (*done)(struct callbacks *self, struct opaque *what); };
int foo(point_t p) { return p.x; }
list *make_list(list l, struct bits b, struct tight t, struct aligned a) { (void)l, (void)b, (void)t, (void)a; return 0; }
void walk(struct node *n, struct callbacks c, struct opaque *o) { (void)n, (void)c, (void)o; }
enum class_kind new(enum class_kind delete) { return delete; }
void print(FILE *to, const char *format, va_list list) { (void)to, (void)format, (void)list; }
int log_it(const char *restrict format, ...) { return format != 0; }
size_t much(uint8_t a, int64_t b, time_t c, _Bool d, long double e) { (void)a, (void)b, (void)c, (void)d, (void)e; return 0; }
double _Complex turn(double _Complex z) { return z; }
struct value global_value;
int table[3][4];
)");
  const ran came = autoreload({"api", directory / "libmy-subject.so", "-o", directory / "api.hpp"});
  EXPECT_EQ(came.status, 0) << came.err;
  EXPECT_EQ(came.err, "");
  expect_that_it_compiles(directory, "api.hpp", "MySubjectApi");
}

TEST(Api, WritesOnlyWhatIsNamedUnderTheNameThatIsGiven) {
  const support::temp_directory directory;
  support::build_library(directory / "libsubject.so", first_build);
  const ran came = autoreload({"api", directory / "libsubject.so", "--name", "Mine", "foo", "level"});
  EXPECT_NE(came.out.find("struct Mine {\n  autoreload::required_as<\"foo\", int (int)> foo;\n"
                          "  autoreload::required_as<\"level\", int> level;\n};"),
            std::string::npos)
      << came.out;
  const ran wrong = autoreload({"api", directory / "libsubject.so", "fooo"});
  EXPECT_EQ(wrong.status, 1);
  EXPECT_NE(wrong.err.find("did you mean \"foo\"?"), std::string::npos);
}

TEST(Api, WritesSqlitesWholeInterfaceFromItsHeader) {
  if (!std::filesystem::exists("/usr/include/sqlite3.h")) GTEST_SKIP() << "libsqlite3-dev is not installed";
  const support::temp_directory directory;
  const ran came = autoreload({"api", "libsqlite3.so.0", "--header", "sqlite3.h", "-o", directory / "api.hpp"});
  EXPECT_EQ(came.status, 0) << came.err;
  const std::string text = support::read_file(directory / "api.hpp");
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find("autoreload::required<", at)) != std::string::npos; ++at) ++count;
  EXPECT_GT(count, 200U);
  expect_that_it_compiles(directory, "api.hpp", "Sqlite3Api");
}

TEST(Generated, CompletionsAndTheManualPageKnowEachSubcommand) {
  for (const std::string what : {"bash", "zsh", "fish", "man"}) {
    const ran came = autoreload({"generate", what});
    EXPECT_EQ(came.status, 0);
    for (const std::string word : {"call", "check", "api", "against"}) {
      EXPECT_NE(came.out.find(word), std::string::npos) << what << " lacks " << word;
    }
    const support::temp_directory directory;
    support::write_file(directory / "made", came.out);
    if (what == "man") {
      if (!support::installed("man")) continue;
      EXPECT_EQ(support::shell("man --warnings -l '" + (directory / "made") + "' > /dev/null"), "");
    } else if (support::installed(what)) {
      EXPECT_EQ(support::shell(what + " -n '" + (directory / "made") + "'"), "");
    }
  }
}

}  // namespace
