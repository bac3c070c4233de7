// SPDX-License-Identifier: MIT
// parts: the pieces of the guard that run inside the host, each by itself: what they do, and that no bytes harm them.
#include <gtest/gtest.h>

#include <random>
#include <string>

#include <autoreload/symbol.hpp>

#include "damage_any.hpp"
#include "guard/compare.hpp"
#include "guard/declared.hpp"
#include "support.hpp"
#include "types/description.hpp"
#include "types/elf_glance.hpp"
#include "types/spell.hpp"

namespace {

using namespace autoreload_test;
namespace types = autoreload::types;

// --- declared ------------------------------------------------------------------------------------

struct vec {
  double x;
};
enum hue { crimson };
union word {
  int i;
};

struct spelled_api {
  autoreload::required_as<"a", int(void)> a;
  autoreload::required_as<"b", unsigned long(const char*, ...)> b;
  autoreload::required_as<"c", vec*(const vec* const*, hue, word)> c;
  autoreload::required_as<"d", void(int (*)(const void*, const void*), double (*)[4])> d;
  autoreload::required_as<"e", void (*(int))(bool)> e;
  autoreload::required_as<"f", int[3][2]> f;
  autoreload::required_as<"g", const char* const> g;
  autoreload::required_as<"h", long double(short, signed char, unsigned char, unsigned short)> h;
  autoreload::required_as<"i", void(long long, unsigned long long, volatile int*)> i;
  autoreload::required_as<"j", int (*)(int (*)(int (*)(void)))> j;
};

// `long unsigned int` and `unsigned long` are one: only the types matter, and those are compared.
TEST(declared, reads_what_the_compiler_spelled) {
  const types::description made = types::describe_declared(autoreload::symbols_of<spelled_api>());
  for (const symbol_info& s : autoreload::symbols_of<spelled_api>()) {
    EXPECT_NE(made.find(s.name), nullptr) << s.declaration(s.name);
  }
  ASSERT_EQ(made.symbols.size(), 10U);
  const auto spelled = [&](const char* name) { return types::spell(made, made.find(name)->type, name); };
  EXPECT_EQ(spelled("a"), "int a(void)");
  EXPECT_EQ(spelled("c"), "struct vec *c(const struct vec *const *, enum hue, union word)");
  EXPECT_EQ(spelled("d"), "void d(int (*)(const void *, const void *), double (*)[4])");
  EXPECT_EQ(spelled("e"), "void (*e(int))(_Bool)");
  EXPECT_EQ(spelled("f"), "int f[3][2]");
  EXPECT_EQ(spelled("g"), "const char *const g");
  EXPECT_EQ(spelled("j"), "int (*j)(int (*)(int (*)(void)))");
  for (const types::type& t : made.types) EXPECT_NE(t.kind, types::kind::unknown) << t.name;
}

TEST(declared, knows_nothing_of_what_it_can_not_read) {
  const std::vector<symbol_info> symbols{
      {"x", true, true, 0, [](const char*) { return std::string("int (std::vector<int>)"); }},
      {"y", true, true, 0, [](const char*) { return std::string("int (((((("); }},
      {"z", true, true, 0, [](const char*) { return std::string(); }},
      {"deep", true, true, 0, [](const char*) { return "int " + std::string(100'000, '('); }},
      {"stars", true, true, 0, [](const char*) { return "int " + std::string(100'000, '*'); }},
  };
  const types::description made = types::describe_declared(symbols);
  EXPECT_EQ(made.find("y"), nullptr);
  EXPECT_EQ(made.find("deep"), nullptr);
  const types::symbol* const stars = made.find("stars");
  ASSERT_NE(stars, nullptr);
  EXPECT_LT(types::spell(made, stars->type).size(), 1000U);
}

// --- description ---------------------------------------------------------------------------------

// A struct that points to itself, in every way that a type can.
types::description knot(std::uint64_t size) {
  types::description d;
  const auto add = [&](types::type t) {
    d.types.push_back(std::move(t));
    return static_cast<types::type_index>(d.types.size() - 1);
  };
  const auto node = add({.kind = types::kind::structure, .name = "node", .size = size});
  const auto pointer = add({.kind = types::kind::pointer, .name = "*", .target = node});
  const auto number =
      add({.kind = types::kind::base, .encoding = types::encoding::signed_integer, .name = "int", .size = 4});
  const auto list = add({.kind = types::kind::array, .size = 4, .target = pointer});
  const auto call =
      add({.kind = types::kind::function, .target = pointer, .members = {{.name = "n", .type = pointer}}});
  const auto callback = add({.kind = types::kind::pointer, .name = "*", .target = call});
  const auto alias = add({.kind = types::kind::alias, .name = "node_t", .target = node});
  d.types[node].members = {{.name = "next", .type = pointer},
                           {.name = "list", .type = list, .bit_offset = 64},
                           {.name = "walk", .type = callback, .bit_offset = 320},
                           {.name = "count", .type = number, .bit_offset = 384}};
  const auto shade = add({.kind = types::kind::enumeration, .name = "shade", .size = 4, .members = {{.name = "DARK"}}});
  const auto function = add({.kind = types::kind::function,
                             .target = number,
                             .members = {{.name = "a", .type = alias}, {.name = "s", .type = shade}}});
  d.symbols = {{"walk_all", true, function}, {"root", false, alias}};
  return d;
}

TEST(description, survives_the_way_through_bytes) {
  const types::description before = knot(56);
  const std::string bytes = types::encode(before);
  const std::optional<types::description> after = types::decode(bytes);
  ASSERT_TRUE(after);
  EXPECT_EQ(types::encode(*after), bytes);
  EXPECT_TRUE(types::compare(before, *after, {}).differences.empty());
  EXPECT_FALSE(types::compare(knot(64), *after, {}).differences.empty());
}

TEST(description, is_nothing_when_a_byte_is_missing_or_too_many) {
  const std::string bytes = types::encode(knot(56));
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(types::decode(std::string_view(bytes).substr(0, length))) << length;
  }
  EXPECT_FALSE(types::decode(bytes + '\0'));
}

TEST(description, of_damaged_bytes_is_refused_or_compared) {
  const types::description sound = knot(56);
  const std::string bytes = types::encode(sound);
  std::mt19937_64 random(1);
  std::size_t accepted = 0;
  for (int round = 0; round < 5'000; ++round) {
    const std::optional<types::description> bad = types::decode(damage_any(bytes, random));
    if (!bad) continue;
    ++accepted;
    (void)types::compare(sound, *bad, {});
  }
  EXPECT_GT(accepted, 100U) << "some damage must get past the reader";
}

// Valid indexes, but nothing else makes sense: every kind where another belongs, cycles of all lengths.
types::description nonsense(std::mt19937_64& random) {
  types::description d = knot(56);
  const auto pick = [&](std::size_t below) { return std::uniform_int_distribution<std::size_t>(0, below - 1)(random); };
  for (std::size_t times = 1 + pick(12); times != 0; --times) {
    types::type& t = d.types[1 + pick(d.types.size() - 1)];
    const auto any_type = [&] { return static_cast<types::type_index>(pick(d.types.size())); };
    switch (pick(6)) {
      case 0: t.kind = static_cast<types::kind>(pick(types::last_kind + 1)); break;
      case 1: t.target = any_type(); break;
      case 2: t.name = pick(2) == 0 ? "" : d.types[any_type()].name; break;
      case 3: t.size = pick(3) == 0 ? ~std::uint64_t{0} : pick(1000); break;
      case 4: t.complete = !t.complete; break;
      default:
        if (t.members.empty() || pick(3) == 0) t.members.resize(pick(20));
        for (types::member& m : t.members) m.type = any_type();
    }
  }
  return d;
}

TEST(description, of_nonsense_is_compared_in_bounded_time_and_depth) {
  const types::description sound = knot(56);
  std::mt19937_64 random(1);
  std::size_t differing = 0;
  for (int round = 0; round < 5'000; ++round) {
    const types::description a = nonsense(random);
    const types::description b = nonsense(random);
    differing += types::compare(a, b, {.host_sees = &sound}).differences.empty() ? 0 : 1;
    (void)types::compare(b, sound, {.host = true});
  }
  EXPECT_GT(differing, 2'000U);
}

// Types that multiply with each level: only a bound on the whole keeps this from taking for ever.
TEST(description, that_branches_at_every_level_is_cut_off) {
  const auto make = [](types::encoding leaf) {
    types::description d;
    d.types.push_back({.kind = types::kind::base, .encoding = leaf, .name = "leaf", .size = 4});
    for (types::type_index i = 1; i < 60; ++i) {
      types::type t{.kind = types::kind::function, .target = i};
      for (int j = 0; j < 8; ++j) t.members.push_back({.type = i});
      d.types.push_back(std::move(t));
    }
    d.symbols = {{"f", true, 60}};
    return d;
  };
  const types::description a = make(types::encoding::signed_integer);
  const types::description b = make(types::encoding::unsigned_integer);
  const types::comparison found = types::compare(a, b, {});
  for (const types::remark& r : found.differences) EXPECT_LT(r.text.size(), 100'000U);
}

TEST(description, with_a_hundred_thousand_structs_in_a_row_costs_no_stack) {
  const auto make = [](std::uint64_t last) {
    types::description d;
    for (types::type_index i = 0; i < 100'000; ++i) {
      d.types.push_back({.kind = types::kind::structure,
                         .name = "s" + std::to_string(i),
                         .size = i == 99'999 ? last : 8,
                         .members = {{.name = "next", .type = i * 2 + 2}}});
      d.types.push_back({.kind = types::kind::pointer, .name = "*", .target = i == 99'999 ? 0 : i * 2 + 3});
    }
    d.types.push_back({.kind = types::kind::function, .members = {{.type = 2}}});
    d.symbols = {{"f", true, static_cast<types::type_index>(d.types.size() - 1)}};
    return d;
  };
  const types::comparison found = types::compare(make(8), make(16), {});
  ASSERT_EQ(found.differences.size(), 1U);
  EXPECT_EQ(found.differences.front().text, "struct s99999: size 8 became 16 (reached through f(struct s1 *))");
}

// --- elf_glance ----------------------------------------------------------------------------------

TEST(elf_glance, tells_where_debug_information_is) {
  const scratch_directory directory;
  directory.write("a.c", "int v = 1; int f(void) { return v; }\n");
  ASSERT_TRUE(directory.run(
      "cc -g -fPIC -shared -Wl,--build-id=0x1234 -o with.so a.c && objcopy --only-keep-debug with.so d && "
      "cp with.so link.so && strip -g link.so && objcopy --add-gnu-debuglink=d link.so && "
      "cc -fPIC -shared -Wl,--build-id=none -o without.so a.c"));
  const auto look = [&](const char* name) { return *types::find_debug_links(open_file(directory / name).get()); };
  EXPECT_TRUE(look("with.so").inside);
  EXPECT_EQ(look("with.so").build_id.size(), 2U);
  EXPECT_FALSE(look("link.so").inside);
  EXPECT_EQ(look("link.so").link, "d");
  const std::vector<std::string> roots{"/root"};
  EXPECT_EQ(types::separate_debug_files(look("link.so"), "/lib/link.so", roots),
            (std::vector<std::string>{"/root/.build-id/12/34.debug", "/lib/d", "/lib/.debug/d", "/root//lib/d"}));
  EXPECT_FALSE(look("without.so").inside);
  EXPECT_TRUE(types::separate_debug_files(look("without.so"), "/lib/without.so", roots).empty());
}

TEST(elf_glance, is_not_harmed_by_any_bytes) {
  const std::string bytes = contents("/proc/self/exe").substr(0, 4096);
  const scratch_directory directory;
  directory.write("a.c", "int v = 1; int f(void) { return v; }\n");
  ASSERT_TRUE(directory.run("cc -g -fPIC -shared -o a.so a.c"));
  const std::string library = contents(directory / "a.so");
  std::mt19937_64 random(1);
  std::size_t understood = 0;
  const std::vector<std::string_view> names{"v", "f"};
  for (int round = 0; round < 3'000; ++round) {
    const unique_fd file = in_memory(damage_any(round % 4 == 0 ? bytes : library, random));
    if (types::find_debug_links(file.get())) ++understood;
    (void)types::find_exported(file.get(), names);
  }
  EXPECT_GT(understood, 1'000U);
  EXPECT_FALSE(types::find_debug_links(in_memory("").get()));
  EXPECT_FALSE(types::find_debug_links(-1));
}

}  // namespace
