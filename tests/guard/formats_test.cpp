// SPDX-License-Identifier: MIT
// formats: the same change is seen in every shape that compilers and packagers give to debug information, and what
// can't be seen is said.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <vector>

#include "support.hpp"

namespace {

using namespace autoreload_test;

constexpr const char* before_source = R"(
struct point { int x; int y; };
enum mode { FAST, EXACT };
int weigh(const struct point *p, enum mode m) { return p->x + (int)m; }
int level = 1;
)";
constexpr const char* after_source = R"(
struct point { int x; int y; int z; };
enum mode { FAST, EXACT };
int weigh(const struct point *p, enum mode m) { return p->y + (int)m; }
long level = 1;
)";

// How a library is made: `$CC` stands for compiler and -g, `$S` for the source without `.c`, `$L` for the library.
struct format {
  const char* name;
  const char* compiler;
  const char* recipe;
  const char* needs = "sh";
};

constexpr const char* direct = "$CC -fPIC -shared -o $L $S.c";

const std::vector<format> formats{
    {"gcc_dwarf_5", "gcc -gdwarf-5 -O2", direct},
    {"gcc_dwarf_4", "gcc -gdwarf-4 -O2", direct},
    {"clang_dwarf_5", "clang -gdwarf-5", direct},
    {"clang_dwarf_4", "clang -gdwarf-4", direct},
    {"gcc_dwarf_64", "gcc -gdwarf-5 -gdwarf64", direct},
    {"gcc_type_units", "gcc -g -fdebug-types-section", direct},
    {"gcc_type_units_dwarf_4", "gcc -gdwarf-4 -fdebug-types-section", direct},
    {"clang_type_units", "clang -g -fdebug-types-section", direct},
    {"gcc_link_time", "gcc -g -O2 -flto", direct},
    {"gcc_compressed", "gcc -g -gz=zlib", direct},
    {"clang_compressed", "clang -g -gz=zlib", direct},
    {"gcc_compressed_the_gnu_way", "gcc -g -gz=zlib-gnu",
     "$CC -fPIC -c -o $S.o $S.c && "
     "$CC -shared -Wl,--compress-debug-sections=zlib-gnu -o $L $S.o"},
    {"gcc_compressed_with_zstd", "gcc -g",
     "$CC -fPIC -c -o $S.o $S.c && $CC -shared -Wl,--compress-debug-sections=zstd -o $L $S.o"},
    {"clang_compressed_with_zstd", "clang -g -gz=none",
     "$CC -fPIC -c -o $S.o $S.c && $CC -shared -Wl,--compress-debug-sections=zstd -o $L $S.o"},
    {"zstd_in_a_separate_file", "gcc -g",
     "$CC -fPIC -shared -o $L $S.c && objcopy --only-keep-debug --compress-debug-sections=zstd $L $L.debug && "
     "strip -g $L && objcopy --add-gnu-debuglink=$L.debug $L"},
    {"zstd_in_split_files", "gcc -g -gsplit-dwarf",
     "$CC -fPIC -c -o $S.o $S.c && objcopy --compress-debug-sections=zstd $S.dwo && $CC -shared -o $L $S.o"},
    {"clang_with_aranges", "clang -g -gdwarf-aranges", direct},
    {"lld", "clang -g -fuse-ld=lld", direct, "ld.lld"},
    {"mold", "clang -g -fuse-ld=mold", direct, "mold"},
    {"gcc_split", "gcc -g -gsplit-dwarf", "$CC -fPIC -c -o $S.o $S.c && $CC -shared -o $L $S.o"},
    {"gcc_split_dwarf_4", "gcc -gdwarf-4 -gsplit-dwarf", "$CC -fPIC -c -o $S.o $S.c && $CC -shared -o $L $S.o"},
    {"clang_split", "clang -g -gsplit-dwarf", "$CC -fPIC -c -o $S.o $S.c && $CC -shared -o $L $S.o"},
    {"split_and_moved_with_the_library", "clang -g -gsplit-dwarf",
     "mkdir build && cd build && cp ../$S.c . && $CC -fPIC -c -o $S.o $S.c && $CC -shared -o $L $S.o && "
     "mv $L $S.dwo .. && cd .. && rm -r build"},
    {"split_and_packed", "clang -g -gsplit-dwarf",
     "echo 'struct other { char c[99]; }; struct other *more(void) { return 0; }' >$S-more.c && "
     "$CC -fPIC -c -o $S-more.o $S-more.c && $CC -fPIC -c -o $S.o $S.c && $CC -shared -o $L $S-more.o $S.o && "
     "llvm-dwp -o $L.dwp $S-more.dwo $S.dwo && rm $S-more.dwo $S.dwo",
     "llvm-dwp"},
    {"split_and_packed_dwarf_4", "gcc -gdwarf-4 -gsplit-dwarf",
     "echo 'struct other { char c[99]; }; struct other *more(void) { return 0; }' >$S-more.c && "
     "$CC -fPIC -c -o $S-more.o $S-more.c && $CC -fPIC -c -o $S.o $S.c && $CC -shared -o $L $S-more.o $S.o && "
     "dwp -o $L.dwp $S-more.dwo $S.dwo && rm $S-more.dwo $S.dwo",
     "dwp"},
    {"debug_link_beside", "gcc -g",
     "$CC -fPIC -shared -o $L $S.c && objcopy --only-keep-debug $L $L.debug && "
     "strip -g $L && objcopy --add-gnu-debuglink=$L.debug $L"},
    {"debug_link_in_a_directory_beside", "gcc -g -Wl,--build-id=none",
     "$CC -fPIC -shared -o $L $S.c && mkdir -p .debug && objcopy --only-keep-debug $L .debug/$L.debug && "
     "strip -g $L && objcopy --add-gnu-debuglink=.debug/$L.debug $L"},
    {"build_id", "gcc -g -Wl,--build-id=0x$ID",
     "$CC -fPIC -shared -o $L $S.c && mkdir -p root/.build-id/$D1 && "
     "objcopy --only-keep-debug $L root/.build-id/$D1/$D2.debug && strip -g $L"},
    {"dwz", "gcc -g", "$CC -fPIC -shared -o $L $S.c && dwz $L", "dwz"},
};

class in_format : public testing::TestWithParam<format> {
 protected:
  // Every build takes the place of the one before, with all that belongs to it.
  unique_fd build(const char* source, const std::string& id) {
    directory_.write("it.c", source);
    const std::string variables = "S=it L=libit.so D1=" + id.substr(0, 2) + " D2=" + id.substr(2) + " ID=" + id +
                                  "; CC=\"" + GetParam().compiler + "\"; ";
    EXPECT_TRUE(directory_.run(variables + GetParam().recipe));
    return snapshot(directory_ / "libit.so");
  }

  scratch_directory directory_;
};

TEST_P(in_format, a_change_is_seen_and_no_change_is_none) {
  const std::string compiler = GetParam().compiler;
  if (!installed(compiler.substr(0, compiler.find(' '))) || !installed(GetParam().needs)) {
    GTEST_SKIP() << "needs " << compiler << " and " << GetParam().needs;
  }
  const std::vector<symbol_info> symbols{function("weigh"), variable("level")};
  const auto guard = autoreload::make_abi_guard(
      patient({.policy = autoreload::abi_policy::strict, .debug_roots = {directory_ / "root"}}));
  const std::string path = directory_ / "libit.so";

  // Strict would refuse here for the want of a host, too; that one difference is expected.
  const unique_fd before = build(before_source, "abcdef01");
  const guard_verdict first = guard->check({path, before.get(), -1, symbols, ""});
  ASSERT_EQ(first.differences.size(), 1U) << text_of(first);
  EXPECT_TRUE(says(first.differences, "the host has no debug information")) << text_of(first);
  const unique_fd again = build(before_source, "abcdef02");
  const guard_verdict same = guard->check({path, again.get(), before.get(), symbols, ""});
  EXPECT_EQ(same.differences, first.differences) << text_of(same);
  EXPECT_TRUE(same.notes.empty()) << text_of(same);

  const unique_fd after = build(after_source, "abcdef03");
  const guard_verdict changed = guard->check({path, after.get(), again.get(), symbols, ""});
  EXPECT_TRUE(says(changed.differences,
                   "struct point: size 8 became 12, field z added at offset 8 (reached through "
                   "weigh(const struct point *, enum mode))"))
      << text_of(changed);
  EXPECT_TRUE(says(changed.differences, "level: int became long")) << text_of(changed);
  EXPECT_EQ(changed.differences.size(), 3U) << text_of(changed);
}

// --- what says nothing of types ------------------------------------------------------------------

class without_types : public testing::TestWithParam<const char*> {};

TEST_P(without_types, an_unchanged_library_passes_and_the_reason_is_said) {
  const std::string compiler = GetParam();
  if (!installed(compiler.substr(0, compiler.find(' ')))) GTEST_SKIP() << "needs " << compiler;
  const scratch_directory directory;
  directory.write("it.c", before_source);
  ASSERT_TRUE(directory.run(compiler + " -fPIC -shared -o it.so it.c"));
  ASSERT_TRUE(directory.run("cc -g -fPIC -shared -o full.so it.c"));
  const unique_fd terse = snapshot(directory / "it.so");
  const unique_fd full = snapshot(directory / "full.so");
  std::vector<symbol_info> symbols{function("weigh"), variable("level", sizeof(int))};
  symbols[0].declaration = [](const char* name) {
    return "int " + std::string(name) + "(const struct point *, enum mode)";
  };
  symbols[1].declaration = [](const char* name) { return "int " + std::string(name); };
  const auto ask = [&](int candidate, int running, autoreload::abi_policy policy) {
    return autoreload::make_abi_guard(patient({.policy = policy}))
        ->check({directory / "it.so", candidate, running, symbols, ""});
  };
  for (const int running : {-1, terse.get(), full.get()}) {
    const guard_verdict verdict = ask(terse.get(), running, autoreload::abi_policy::refuse);
    EXPECT_FALSE(verdict.refuse) << text_of(verdict);
    EXPECT_TRUE(says(verdict.notes, "the library: its debug information has no types (-g1")) << text_of(verdict);
    EXPECT_FALSE(says(verdict.notes, "is not in its debug information")) << text_of(verdict);
    EXPECT_TRUE(ask(terse.get(), running, autoreload::abi_policy::strict).refuse);
  }
  EXPECT_FALSE(ask(full.get(), terse.get(), autoreload::abi_policy::refuse).refuse);
  // What the symbol table tells is still compared.
  directory.write("it.c", after_source);
  ASSERT_TRUE(directory.run(compiler + " -fPIC -shared -o it.so it.c"));
  const guard_verdict changed = ask(snapshot(directory / "it.so").get(), full.get(), autoreload::abi_policy::refuse);
  EXPECT_TRUE(says(changed.differences, "level: 4 bytes in the host, 8 in the library")) << text_of(changed);
}

INSTANTIATE_TEST_SUITE_P(debug_information, without_types,
                         testing::Values("gcc -g1", "gcc -g1 -O2", "gcc -g1 -flto", "gcc -g1 -O2 -flto",
                                         "gcc -gdwarf-4 -g1", "gcc -g1 -gno-record-gcc-switches", "clang -g1",
                                         "clang -gline-tables-only -O2", "clang -g1 -flto -fuse-ld=lld"),
                         [](const auto& made) {
                           std::string name = made.param;
                           std::ranges::replace_if(
                               name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
                           return name;
                         });

TEST(without_types_but_void, functions_of_a_full_description_are_compared) {
  const scratch_directory directory;
  directory.write("it.cpp", "extern \"C\" void f(\n#ifdef AFTER\nint\n#endif\n) {}\n");
  for (const std::string compiler : {"g++ -g", "clang++ -g"}) {
    if (!installed(compiler.substr(0, compiler.find(' ')))) continue;
    ASSERT_TRUE(directory.run(compiler + " -fPIC -shared -o before.so it.cpp && " + compiler +
                              " -DAFTER -fPIC -shared -o after.so it.cpp"));
    const unique_fd before = snapshot(directory / "before.so");
    const unique_fd after = snapshot(directory / "after.so");
    const guard_verdict verdict = autoreload::make_abi_guard(patient())->check(
        {directory / "it.so", after.get(), before.get(), std::vector{function("f")}, ""});
    EXPECT_TRUE(says(verdict.differences, "f: void (void) became void (int)")) << compiler << text_of(verdict);
  }
}

// --- what can't be unpacked ----------------------------------------------------------------------

TEST(packed_debug_information, that_is_not_understood_is_named) {
  const scratch_directory directory;
  directory.write("it.c", before_source);
  ASSERT_TRUE(directory.run(
      "cc -g -fPIC -c it.c && cc -shared -Wl,--compress-debug-sections=zlib -o it.so it.o && "
      "readelf -SW it.so | sed -n 's/.* .debug_info  *[A-Z]*  *[0-9a-f]*  *\\([0-9a-f]*\\) .*/\\1/p' >at && "
      "test -s at"));
  std::string bytes = contents(directory / "it.so");
  const std::size_t header = std::stoul(contents(directory / "at"), nullptr, 16);
  ASSERT_EQ(bytes.at(header), 1) << "the kind of packing stands first";
  bytes.at(header) = 99;
  const guard_verdict verdict = autoreload::make_abi_guard(patient())->check(
      {directory / "it.so", in_memory(bytes).get(), -1, std::vector{function("weigh")}, ""});
  EXPECT_FALSE(verdict.refuse) << text_of(verdict);
  EXPECT_TRUE(says(verdict.notes, "its debug information is compressed in a way that is not known here (99)"))
      << text_of(verdict);
}

INSTANTIATE_TEST_SUITE_P(debug_information, in_format, testing::ValuesIn(formats),
                         [](const auto& made) { return std::string(made.param.name); });

}  // namespace
