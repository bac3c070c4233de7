// SPDX-License-Identifier: MIT
// after_load_test: whose symbols a new library has, and the libraries of the user's that come along with it.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <autoreload/autoreload.hpp>
#include <cstdint>
#include <string>

#include "support.hpp"

namespace {

using autoreload::error;
using autoreload::event;
using autoreload::event_kind;
using autoreload::event_queue;
using support::build_library;
using support::patience;

struct number_api {
  autoreload::required_as<"number", int()> number;
};

template <class Api>
struct watched {
  event_queue events;
  autoreload::reloadable<Api> library;

  explicit watched(const std::string& path) : library(path, options()) {}

  autoreload::options options() {
    autoreload::options chosen;
    chosen.observer = events.observer();
    return chosen;
  }
};

// The host's own, which a library's may be taken for.
extern "C" [[gnu::visibility("default")]] int host_helper() { return -1; }

// ---- verify

constexpr const char* uses_libc = "int rand(void); int number(void) { return rand(); }";

struct index_api {
  autoreload::required_as<"number", int()> number;
  autoreload::required_as<"index", char*(const char*, int)> index;
};

TEST(AfterLoad, RefusesARequiredFunctionThatOnlyTheCLibraryHas) {
  const support::temp_directory directory;
  build_library(directory / "lib.so", uses_libc);
  watched<index_api> host(directory / "lib.so");
  const auto refused = host.events.next(event_kind::refused, patience);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->failure->at(), autoreload::stage::verify);
  ASSERT_EQ(refused->failure->missing().size(), 1U);
  EXPECT_NE(refused->failure->missing()[0].type.find("char *index(const char *, int), which only "), std::string::npos)
      << refused->failure->what();
  EXPECT_NE(refused->failure->missing()[0].type.find("libc"), std::string::npos) << refused->failure->what();
  EXPECT_FALSE(host.library.loaded());
}

// pthread_cond_signal of 2.2.5 and that of 2.3.2 have condition variables of two kinds.
TEST(AfterLoad, WarnsOfNamesThatAreBoundToAnOlderVersionThanTheProgramIs) {
  const void* const old = dlvsym(RTLD_DEFAULT, "pthread_cond_signal", "GLIBC_2.2.5");
  if (old == nullptr) GTEST_SKIP() << "this libc has one version of it";
  Dl_info libc{};
  Dl_info first{};
  ASSERT_NE(dladdr(old, &libc), 0);
  ASSERT_NE(dladdr(dlsym(RTLD_DEFAULT, "pthread_cond_signal"), &first), 0);
  if (first.dli_fbase != libc.dli_fbase) GTEST_SKIP() << "the thread sanitizer has one of its own";
  const support::temp_directory directory;
  const std::string source =
      "#include <pthread.h>\nstatic pthread_cond_t it = PTHREAD_COND_INITIALIZER;\nint number(void) { return "
      "pthread_cond_signal(&it); }\n";
  build_library(directory / "without.so", source, "-nostdlib");
  watched<number_api> without(directory / "without.so");
  ASSERT_TRUE(without.library.loaded());
  const auto warned = without.events.next(event_kind::warning, patience);
  ASSERT_TRUE(warned);
  EXPECT_NE(warned->text.find("pthread_cond_signal"), std::string::npos) << warned->text;
  // The advice, followed.
  build_library(directory / "with.so", source, "-nostdlib -lc");
  watched<number_api> with(directory / "with.so");
  ASSERT_TRUE(with.library.loaded());
  ASSERT_TRUE(with.events.next(event_kind::loaded, patience));
  EXPECT_FALSE(with.events.next(event_kind::warning, std::chrono::milliseconds(0)));
}

struct optional_index_api {
  autoreload::required_as<"number", int()> number;
  autoreload::optional_as<"index", char*(const char*, int)> index;
};

TEST(AfterLoad, TakesAnOptionalFunctionThatOnlyTheCLibraryHasAsAbsent) {
  const support::temp_directory directory;
  build_library(directory / "lib.so", uses_libc);
  watched<optional_index_api> host(directory / "lib.so");
  ASSERT_TRUE(host.library.loaded());
  EXPECT_FALSE(host.library.pin()->index);
  EXPECT_THROW((void)host.library->index("abc", 'b'), autoreload::error);
  const auto warning = host.events.next(event_kind::warning, patience);
  ASSERT_TRUE(warning);
  EXPECT_NE(warning->text.find("taken as absent"), std::string::npos) << warning->text;
}

TEST(AfterLoad, RefusesAVariableWhereAFunctionIsRequired) {
  const support::temp_directory directory;
  build_library(directory / "lib.so", "int number = 1;");
  watched<number_api> host(directory / "lib.so");
  const auto refused = host.events.next(event_kind::refused, patience);
  ASSERT_TRUE(refused);
  EXPECT_NE(std::string(refused->failure->what()).find("which is no function there"), std::string::npos)
      << refused->failure->what();
}

TEST(AfterLoad, SaysWhenTheLibrarysOwnHelperIsBoundToTheHosts) {
  const support::temp_directory directory;
  const std::string source = "int host_helper(void) { return 2; } int number(void) { return host_helper(); }";
  build_library(directory / "lib.so", source, "-fsemantic-interposition");  // g++'s default, not clang's
  watched<number_api> host(directory / "lib.so");
  EXPECT_EQ(host.library->number(), -1) << "the host's wins: that is what the warning is about";
  const auto warning = host.events.next(event_kind::warning, patience);
  ASSERT_TRUE(warning);
  EXPECT_NE(warning->text.find("host_helper of "), std::string::npos) << warning->text;
  EXPECT_NE(warning->text.find("-Bsymbolic"), std::string::npos) << warning->text;

  build_library(directory / "lib.so", source, "-Wl,-Bsymbolic");
  ASSERT_TRUE(host.events.next(event_kind::loaded, patience));
  EXPECT_EQ(host.library->number(), 2) << "with the flag that the warning names it is its own";
}

struct part_api {
  autoreload::required_as<"number", int()> number;
  autoreload::required_as<"part", int()> part;
  autoreload::required_as<"part_count", int> part_count;
};

// One library to link with, which leads to its parts.
TEST(AfterLoad, TakesWhatAnUmbrellaLibraryNeedsAsItsOwn) {
  const support::temp_directory directory;
  const auto build_part = [&](int value) {
    build_library(directory / "libpart.so",
                  "int part_count = 7; int part(void) { return " + std::to_string(value) + "; }",
                  "-Wl,-soname,libpart.so");
  };
  build_part(1);
  build_library(directory / "lib.so", "int number(void) { return 2; }",
                "-Wl,--no-as-needed '" + directory / "libpart.so" + "' '-Wl,-rpath,$ORIGIN'");
  watched<part_api> host(directory / "lib.so");
  ASSERT_TRUE(host.library.loaded()) << host.library.last_failure()->what();
  EXPECT_EQ(host.library->part(), 1);
  EXPECT_EQ(*host.library.pin()->part_count, 7);
  build_part(5);
  ASSERT_TRUE(host.events.next(event_kind::loaded, patience));
  ASSERT_TRUE(host.events.next(event_kind::loaded, patience));
  EXPECT_EQ(host.library->part(), 5);
}

struct part_function_api {
  autoreload::required_as<"part_count", int()> part_count;
};

TEST(AfterLoad, SaysInWhichLibraryOfItsOwnAFunctionIsNone) {
  const support::temp_directory directory;
  build_library(directory / "libpart.so", "int part_count = 7;", "-Wl,-soname,libpart.so");
  build_library(directory / "lib.so", "int number(void) { return 2; }",
                "-Wl,--no-as-needed '" + directory / "libpart.so" + "' '-Wl,-rpath,$ORIGIN'");
  const watched<part_function_api> host(directory / "lib.so");
  ASSERT_TRUE(host.library.last_failure());
  EXPECT_NE(std::string(host.library.last_failure()->what())
                .find("int part_count(void), which is no function in a private copy of libpart.so"),
            std::string::npos)
      << host.library.last_failure()->what();
}

TEST(AfterLoad, TakesAFunctionWhoseResolverChoseTheCLibrarys) {
#ifndef __GLIBC__
  GTEST_SKIP() << "only glibc has indirect functions";
#endif
  const support::temp_directory directory;
  build_library(
      directory / "lib.so",
      "#include <string.h>\nint number(void) { return 1; } static void *choose(void) { return (void *)memcpy; }\n"
      "char *index(const char *, int) __attribute__((ifunc(\"choose\")));",
      "-fno-builtin -Wl,-z,now");
  const watched<index_api> host(directory / "lib.so");
  EXPECT_TRUE(host.library.loaded()) << host.library.last_failure()->what();
}

// An older generation that the loader can't let go of serves its names for those that come after it.
TEST(AfterLoad, NamesTheOlderGenerationThatTakesTheLibrarysOwnHelper) {
  const support::temp_directory directory;
  const auto build_number = [&](int value) {
    build_library(directory / "lib.so",
                  "int helper(void) { return " + std::to_string(value) + "; } int number(void) { return helper(); }",
                  "-fsemantic-interposition");
  };
  build_number(1);
  event_queue events;
  autoreload::options chosen;
  chosen.observer = events.observer();
  chosen.load_flags = RTLD_NOW | RTLD_GLOBAL;
  chosen.keep_old = true;
  const autoreload::reloadable<number_api> library(directory / "lib.so", chosen);
  build_number(2);
  const auto warning = events.next(event_kind::warning, patience);
  ASSERT_TRUE(warning);
  EXPECT_NE(warning->text.find("helper of the older generation 1"), std::string::npos) << warning->text;
  EXPECT_EQ(library->number(), 1) << "that is what the warning is about";
}

// ---- dependencies

constexpr const char* top_source = "int part(void); int number(void) { return 10 + part(); }";

std::string part_source(int value) { return "int part(void) { return " + std::to_string(value) + "; }"; }

std::string needs_part(const support::temp_directory& directory) {
  return "-L'" + directory.path().string() + "' -lpart '-Wl,-rpath,$ORIGIN'";
}

constexpr const char* part_name = "-Wl,-soname,libpart.so";

TEST(Dependencies, AreFoundBesideTheLibraryByOrigin) {
  const support::temp_directory directory;
  build_library(directory / "libpart.so", part_source(1), part_name);
  build_library(directory / "lib.so", top_source, needs_part(directory));
  const watched<number_api> host(directory / "lib.so");
  ASSERT_TRUE(host.library.loaded()) << host.library.last_failure()->what();
  EXPECT_EQ(host.library->number(), 11);
}

TEST(Dependencies, AreReloadedWithTheLibraryWhenTheyAloneAreRebuilt) {
  const support::temp_directory directory;
  build_library(directory / "libpart.so", part_source(1), part_name);
  build_library(directory / "lib.so", top_source, needs_part(directory));
  watched<number_api> host(directory / "lib.so");
  ASSERT_TRUE(host.events.next(event_kind::loaded, patience));
  for (int value = 2; value < 6; ++value) {
    build_library(directory / "libpart.so", part_source(value), part_name);
    ASSERT_TRUE(host.events.next(event_kind::loaded, patience)) << value;
    EXPECT_EQ(host.library->number(), 10 + value);
    const auto old = host.events.next(event_kind::unloaded, patience);
    ASSERT_TRUE(old);
    EXPECT_EQ(old->generation, static_cast<std::uint64_t>(value - 1));
  }
}

TEST(Dependencies, KeepTheirStaticsWhenOnlyTheLibraryIsRebuilt) {
  const support::temp_directory directory;
  build_library(directory / "libpart.so", "int part(void) { static int calls; return ++calls; }", part_name);
  build_library(directory / "lib.so", top_source, needs_part(directory));
  watched<number_api> host(directory / "lib.so");
  ASSERT_TRUE(host.events.next(event_kind::loaded, patience));
  EXPECT_EQ(host.library->number(), 11);
  build_library(directory / "lib.so", "int part(void); int number(void) { return 20 + part(); }",
                needs_part(directory));
  ASSERT_TRUE(host.events.next(event_kind::loaded, patience));
  EXPECT_EQ(host.library->number(), 22);
}

TEST(Dependencies, OfDependenciesComeAlongToo) {
  const support::temp_directory directory;
  build_library(directory / "libdeep.so", "int deep(void) { return 1; }", "-Wl,-soname,libdeep.so");
  build_library(directory / "libpart.so", "int deep(void); int part(void) { return deep(); }",
                std::string(part_name) + " -L'" + directory.path().string() + "' -ldeep '-Wl,-rpath,$ORIGIN'");
  build_library(directory / "lib.so", top_source,
                needs_part(directory) + " '-Wl,-rpath-link," + directory.path().string() + "'");
  watched<number_api> host(directory / "lib.so");
  ASSERT_TRUE(host.events.next(event_kind::loaded, patience));
  EXPECT_EQ(host.library->number(), 11);
  build_library(directory / "libdeep.so", "int deep(void) { return 5; }", "-Wl,-soname,libdeep.so");
  ASSERT_TRUE(host.events.next(event_kind::loaded, patience));
  EXPECT_EQ(host.library->number(), 15);
}

TEST(Dependencies, ThatAreNotBuiltYetAreWaitedFor) {
  const support::temp_directory directory;
  build_library(directory / "libpart.so", part_source(1), part_name);
  build_library(directory / "lib.so", top_source, needs_part(directory));
  std::filesystem::remove(directory / "libpart.so");
  watched<number_api> host(directory / "lib.so");
  EXPECT_FALSE(host.library.loaded());
  build_library(directory / "libpart.so", part_source(3), part_name);
  ASSERT_TRUE(host.events.next(event_kind::loaded, patience));
  EXPECT_EQ(host.library->number(), 13);
}

TEST(Dependencies, ThatTheHostHoldsAreSharedWithItAndItIsSaid) {
  const support::temp_directory directory;
  build_library(directory / "libpart.so", part_source(1), part_name);
  build_library(directory / "lib.so", top_source, needs_part(directory));
  void* const hosts = dlopen((directory / "libpart.so").c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(hosts, nullptr);
  {
    watched<number_api> host(directory / "lib.so");
    EXPECT_EQ(host.library->number(), 11);
    const auto warning = host.events.next(event_kind::warning, patience);
    ASSERT_TRUE(warning);
    EXPECT_NE(warning->text.find("shares libpart.so with the host"), std::string::npos) << warning->text;
  }
  dlclose(hosts);
}

}  // namespace
