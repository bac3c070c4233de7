// SPDX-License-Identifier: MIT
// state: what a carrier refuses and how it says so, what it takes back, and that damaged debug information harms
// nobody.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <string>

#include "loaded.hpp"
#include "state/layout.hpp"
#include "tests/support.hpp"
#include "types/description.hpp"

namespace {

using namespace autoreload_test;
using namespace support;
using autoreload::state_fate;
using autoreload::state_report;

constexpr const char* debug = "-g -O1 -w";

TEST(layout, a_field_beyond_the_end_of_its_struct_makes_the_struct_incomplete) {
  using autoreload::types::kind;
  const auto described = [](std::uint64_t bit_offset, std::uint64_t bit_size) {
    autoreload::types::description made;
    made.types.push_back({.kind = kind::base, .name = "int", .size = 4});
    autoreload::types::type structure{.kind = kind::structure, .name = "s", .size = 8};
    structure.members.push_back({.name = "field", .type = 1, .bit_offset = bit_offset, .bit_size = bit_size});
    made.types.push_back(structure);
    autoreload::state::distrust_impossible(made);
    return made.types.back().complete;
  };
  EXPECT_TRUE(described(32, 0));
  EXPECT_TRUE(described(63, 1));
  EXPECT_FALSE(described(40, 0));
  EXPECT_FALSE(described(63, 2));
  EXPECT_FALSE(described(UINT64_MAX - 7, 0));
}

class state : public testing::Test {
 protected:
  // A C library of its own, built and loaded.
  loaded build(const std::string& source, const std::string& flags = debug) {
    const std::string path = directory_ / ("lib" + std::to_string(++built_) + ".so");
    build_library(path, "#include <stdlib.h>\n#include <string.h>\n" + source, flags);
    return loaded(path);
  }

  temp_directory directory_;
  int built_ = 0;
};

std::string all_of(const state_report& report) {
  std::string text;
  for (const autoreload::state_remark& r : report.remarks) text += text_of(r) + "\n";
  return text;
}

TEST_F(state, a_held_mutex_refuses_by_its_name_until_it_is_given_back) {
  const std::string source =
      "#include <pthread.h>\n"
      "static struct { int n; pthread_mutex_t guard; } box = {1, PTHREAD_MUTEX_INITIALIZER};\n"
      "void hold(void) { pthread_mutex_lock(&box.guard); }\nvoid give(void) { pthread_mutex_unlock(&box.guard); }\n"
      "void set(int to) { box.n = to; }\nint get(void) { return box.n; }\n";
  const loaded was = build(source);
  const loaded is = build(source + "int more(void) { return 2; }\n");
  was.get<void(int)>("set")(7);
  was.get<void()>("hold")();
  const auto refused = carry(*patient(), was, is);
  ASSERT_FALSE(refused);
  EXPECT_NE(std::string(refused.error().what()).find("its lock box.guard is held"), std::string::npos)
      << refused.error().what();
  EXPECT_EQ(is.get<int()>("get")(), 1) << "something was carried all the same";
  was.get<void()>("give")();
  ASSERT_TRUE(carry(*patient(), was, is));
  EXPECT_EQ(is.get<int()>("get")(), 7);
}

constexpr const char* handle_before =
    "struct world { int x; double speed; };\nstatic struct world *world;\n"
    "struct world *begin(void) { world = calloc(1, sizeof *world); world->x = 3; world->speed = 1.5; return world; }\n"
    "int get(void) { return world ? world->x : -1; }\n";
constexpr const char* handle_after =
    "struct world { int x; char name[200]; double speed; };\nstatic struct world *world;\n"
    "struct world *begin(void) { world = calloc(1, sizeof *world); world->x = 3; world->speed = 1.5; return world; }\n"
    "int get(void) { return world ? world->x : -1; }\n";

TEST_F(state, an_object_that_the_host_may_hold_and_that_grew_is_refused_with_both_layouts_and_what_would_help) {
  const loaded was = build(handle_before);
  const loaded is = build(handle_after);
  was.get<void*()>("begin")();
  const auto refused = carry(*patient(), was, is);
  ASSERT_FALSE(refused);
  const std::string text = refused.error().what();
  for (const char* const part :
       {"struct world has another layout", "struct world, 16 bytes | struct world, 216 bytes", "4: char name[200]",
        "void world_migrate(struct world *new_world, const struct world_before *old_world)"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
  EXPECT_EQ(was.get<int()>("get")(), 3);
}

TEST_F(state, an_object_that_only_the_host_has_and_whose_layout_changed_is_refused) {
  const std::string head = "struct box { int n;";
  const std::string tail =
      " };\nstruct box *make(void) { return calloc(1, sizeof(struct box)); }\n"
      "int get(const struct box *b) { return b->n; }\n";
  const loaded was = build(head + tail);
  const loaded same = build(head + tail + "int more(void) { return 1; }\n");
  const loaded is = build(head + " long v[4];" + tail);
  was.get<void*()>("make")();
  EXPECT_TRUE(carry(*patient(), was, same));
  const auto refused = carry(*patient(), was, is);
  ASSERT_FALSE(refused);
  EXPECT_NE(std::string(refused.error().what()).find("struct box has another layout, and the host may have some"),
            std::string::npos)
      << refused.error().what();
}

TEST_F(state, the_library_s_own_migration_passes_what_would_be_refused) {
  const loaded was = build(handle_before);
  const loaded is = build(std::string(handle_after) +
                          "struct world_before { int x; double speed; };\n"
                          "void world_migrate(struct world *new_world, const struct world_before *old_world) {\n"
                          "  new_world->x = old_world->x * 10; strcpy(new_world->name, \"moved\"); }\n");
  was.get<void*()>("begin")();
  const auto done = carry(*patient(), was, is);
  ASSERT_TRUE(done) << done.error().what();
  EXPECT_EQ(is.get<int()>("get")(), 30);
  EXPECT_NE(all_of(*done).find("by world_migrate()"), std::string::npos) << all_of(*done);
}

TEST_F(state, what_was_changed_on_the_heap_is_taken_back_when_a_later_step_says_no) {
  const std::string head =
      "struct item { int (*f)(void); struct item *next; };\nstatic struct item *items;\n"
      "struct box { int a; long rest[5];";
  const std::string tail =
      " };\nstatic struct box *box;\nstatic int one(void) { return 1; }\n"
      "void begin(void) { items = calloc(1, sizeof *items); items->f = one; box = calloc(1, 64); box->rest[4] = 9; }\n"
      "struct box *hold(void) { return box; }\n"
      "int get(void) { return items->f == one && box->rest[4] == 9; }\n";
  const loaded was = build(head + tail);
  const loaded is = build(head + " int b;" + tail + "int other(void) { return 5; }\n");
  was.get<void()>("begin")();
  ASSERT_EQ(was.get<int()>("get")(), 1);
  const auto carrier = patient();
  auto plan = carrier->prepare(was.side(1), is.side(2));
  ASSERT_TRUE(plan) << plan.error().what();
  const auto done = (*plan)->carry();
  ASSERT_TRUE(done) << done.error().what();
  EXPECT_EQ(is.get<int()>("get")(), 1);
  EXPECT_EQ(was.get<int()>("get")(), 0) << "nothing on the heap was changed, so there is nothing to take back";
  (*plan)->undo();
  EXPECT_EQ(was.get<int()>("get")(), 1);
}

TEST_F(state, a_row_on_the_heap_is_followed_though_nothing_says_how_long_it_is) {
  const std::string source =
      "#include <stdlib.h>\nstruct handler { const char *name; int (*run)(void); };\n"
      "static struct handler **handlers; static int nbOfThem;\n"
      "static int one(void) { return PAD + 1; }\nstatic int two(void) { return PAD + 2; }\n"
      "static void add(const char *name, int (*run)(void)) {\n"
      "  struct handler *h = malloc(sizeof *h); h->name = name; h->run = run;\n"
      "  if (!handlers) handlers = malloc(50 * sizeof *handlers);\n"
      "  handlers[nbOfThem++] = h;\n}\n"
      "void begin(void) { for (int i = 0; i < 20; ++i) add(i % 2 ? \"odd\" : \"even\", i % 2 ? one : two); }\n"
      "int get(void) {\n  int sum = 0;\n"
      "  for (int i = 0; i < nbOfThem; ++i) sum += handlers[i]->run() + handlers[i]->name[0] * 0;\n  return sum;\n}\n";
  const auto is = [&] {
    const loaded was = build(source, "-DPAD=0");
    loaded next = build("int padding(void) { return 4; }\n" + source, "-DPAD=100");
    was.get<void()>("begin")();
    const auto done = carry(*patient(), was, next);
    EXPECT_TRUE(done) << done.error().what();
    EXPECT_FALSE(done->needs_old) << all_of(*done);
    return next;  // the old one is unloaded
  }();
  EXPECT_EQ(is.get<int()>("get")(), 20 * 100 + 30);
}

TEST_F(state, a_row_of_unknown_length_with_objects_that_would_have_to_move_is_refused) {
  const std::string head = "#include <stdlib.h>\nstruct item { int a;";
  const std::string tail =
      " };\nstatic struct item **items; static int nbOfThem;\n"
      "void begin(void) { items = malloc(20 * sizeof *items);\n"
      "  for (int i = 0; i < 20; ++i) { items[i] = calloc(1, sizeof **items); items[i]->a = i; } nbOfThem = 20; }\n"
      "int get(void) { return items[7]->a + nbOfThem; }\n";
  const loaded was = build(head + tail);
  const loaded is = build(head + " int b[9];" + tail);
  was.get<void()>("begin")();
  const auto refused = carry(*patient(), was, is);
  ASSERT_FALSE(refused) << "one of twenty was moved, and the others are of the old layout";
  EXPECT_NE(refused.error().reason().find("in a row whose length"), std::string::npos) << refused.error().reason();
  EXPECT_EQ(was.get<int()>("get")(), 27);
}

TEST_F(state, a_pointer_that_only_an_untyped_one_leads_to_refuses_a_move) {
  const std::string head = "#include <stdlib.h>\nstruct item { int a;";
  const std::string tail =
      " };\nstruct holder { int pad[4]; struct item *held; };\n"
      "static struct item *first; static void *user; static void *other;\n"
      "void begin(int with) { first = calloc(1, sizeof *first); first->a = 5; other = first;\n"
      "  struct holder *h = calloc(1, sizeof *h); user = h; if (with) h->held = first; }\n"
      "int get(void) { return first->a + ((struct item *)other)->a + (((struct holder *)user)->held != 0); }\n";
  for (const int with : {0, 1}) {
    const loaded was = build(head + tail);
    const loaded is = build(head + " int b[9];" + tail);
    was.get<void(int)>("begin")(with);
    const auto done = carry(*patient(), was, is);
    if (with == 0) {
      ASSERT_TRUE(done) << done.error().what();
      EXPECT_EQ(is.get<int()>("get")(), 10) << "an untyped pointer to what moved is set, too";
    } else {
      ASSERT_FALSE(done) << "the holder's pointer was left behind";
      EXPECT_NE(done.error().reason().find("user leads to something without a type"), std::string::npos)
          << done.error().reason();
    }
  }
}

TEST_F(state, functions_that_the_compiler_folded_are_found_by_their_names) {
  const std::string source =
      "#include <stdlib.h>\nstruct driver { void (*start)(struct driver *); void (*stop)(struct driver *); int n; };\n"
      "static struct driver *driver;\n"
      "void driver_start(struct driver *d) { d->n += 7; }\n"
      "void driver_stop(struct driver *d) { d->n += 7; }\n"
      "void begin(void) { driver = calloc(1, sizeof *driver); driver->start = driver_start; driver->stop = "
      "driver_stop; }\n"
      "int get(void) { driver->start(driver); driver->stop(driver); return driver->n; }\n";
  const char* const flags = "-O2 -fvisibility=hidden -fipa-icf";
  const std::string shown =
      "__attribute__((visibility(\"default\"))) void begin(void);\n"
      "__attribute__((visibility(\"default\"))) int get(void);\n";
  const auto is = [&] {
    const loaded was = build(shown + source, flags);
    loaded next =
        build(shown + source + "__attribute__((visibility(\"default\"))) int more(void) { return 2; }\n", flags);
    was.get<void()>("begin")();
    const auto done = carry(*patient(), was, next);
    EXPECT_TRUE(done) << done.error().what();
    EXPECT_FALSE(done->needs_old) << all_of(*done);
    return next;
  }();
  EXPECT_EQ(is.get<int()>("get")(), 14);
}

TEST_F(state, an_array_without_a_length_at_the_end_of_a_variable_is_told) {
  const std::string source =
      "struct list { int used; int items[]; };\nstatic struct list numbers = {1, {1, 2, 3}};\n"
      "int get(void) { return ++numbers.used + numbers.items[2]++; }\n";
  const loaded was = build(source);
  const loaded is = build(source + "int more(void) { return 1; }\n");
  was.get<int()>("get")();
  const auto done = carry(*patient(), was, is);
  ASSERT_TRUE(done) << done.error().what();
  EXPECT_NE(all_of(*done).find("numbers: how long the array at its end is nobody says"), std::string::npos)
      << all_of(*done);
}

TEST_F(state, a_library_without_debug_information_is_refused_with_advice) {
  const loaded was = build("static int n = 4; int get(void) { return n++; }\n", "-g0");
  const loaded is = build("static int n = 4; int get(void) { return ++n; }\n", "-g0");
  const auto refused = carry(*patient(), was, is);
  ASSERT_FALSE(refused);
  EXPECT_NE(std::string(refused.error().what()).find("no debug information (-g)"), std::string::npos);
  EXPECT_NE(refused.error().advice().find("-g"), std::string::npos);
}

TEST_F(state, the_host_can_name_what_is_kept_and_what_starts_anew) {
  const loaded was = build(
      "static int kept = 1, anew = 1; void set(void) { kept = anew = 9; }\n"
      "int get(void) { return 10 * kept + anew; }\n");
  const loaded is = build(
      "static int kept = 2, anew = 1; void set(void) { kept = anew = 9; }\n"
      "int get(void) { return 10 * kept + anew; }\n");
  was.get<void()>("set")();
  autoreload::state_options options;
  options.keep = {"kept"};
  options.fresh = {"anew"};
  const auto done = carry(*patient(options), was, is);
  ASSERT_TRUE(done) << done.error().what();
  EXPECT_EQ(is.get<int()>("get")(), 91);
  EXPECT_NE(all_of(*done).find("reset anew: the host wants it to start anew"), std::string::npos) << all_of(*done);
}

TEST_F(state, is_carried_in_every_format_of_debug_information) {
  for (const char* const flags :
       {"-g -gdwarf-4 -O2", "-g -gdwarf-5 -O0", "-g -O2 -flto", "-g -O2 -gz", "-g -gsplit-dwarf -O1"}) {
    const std::string source =
        "static int total = 3;\nint add(int n) { static int calls; ++calls; return total += n * calls; }\n";
    const loaded was = build(source, std::string(flags) + " -w");
    const loaded is = build(source + "int pad(void) { return 1; }\n", std::string(flags) + " -w");
    was.get<int(int)>("add")(1);
    was.get<int(int)>("add")(1);
    const auto done = carry(*patient(), was, is);
    ASSERT_TRUE(done) << flags << ": " << done.error().what();
    EXPECT_EQ(is.get<int(int)>("add")(100), 306) << flags << "\n" << all_of(*done);
  }
}

TEST_F(state, goes_through_a_hundred_builds_and_back) {
  const std::string source =
      "static int n; static const char *text; static int one(void) { return n; } static int (*f)(void);\n"
      "int step(void) { ++n; text = \"the text\"; f = one; return f() + (int)strlen(text); }\n";
  const auto carrier = patient();
  loaded odd = build(source);
  loaded even = build("static double first = 1; double get(void) { return first += 1; }\n" + source);
  odd.get<int()>("step")();
  for (int i = 0; i < 100; ++i) {
    const loaded& from = i % 2 == 0 ? odd : even;
    const loaded& to = i % 2 == 0 ? even : odd;
    const auto done = carry(*carrier, from, to);
    ASSERT_TRUE(done) << done.error().what();
    EXPECT_EQ(to.get<int()>("step")(), i + 2 + 8);
  }
}

// A flipped bit may make a variable another one of the library's; it must never reach anything else.
TEST_F(state, damaged_debug_information_never_crashes_the_host) {
  const std::string source =
      "struct node { struct node *next; int (*f)(void); long v[3]; };\nstatic struct node *head, pool[4];\n"
      "static int one(void) { return 1; }\nstatic char name[40] = \"name\"; static const char *text = \"text\";\n"
      "void begin(void) { head = &pool[1]; pool[1].f = one; pool[1].next = calloc(1, sizeof *head); }\n"
      "int get(void) { return head != 0 && name[0] != 0 && text != 0; }\n";
  const loaded was = build(source);
  const std::string path = directory_ / "damaged.so";
  build_library(path, "#include <stdlib.h>\n" + source, debug);
  const std::string whole = read_file(path);
  const std::string sections =
      shell("readelf -SW '" + path + "' | awk '/debug_(info|abbrev|str|addr)/ { sub(/.*\\] */, \"\"); print $4, $5 }'");
  was.get<void()>("begin")();
  std::mt19937 random(7);
  int refused = 0;
  for (int round = 0; round < 40; ++round) {
    std::string bytes = whole;
    std::istringstream list(sections);
    for (std::string offset, size; list >> offset >> size;) {
      const unsigned long from = std::stoul(offset, nullptr, 16);
      const unsigned long length = std::stoul(size, nullptr, 16);
      for (int i = 0; i < 3 && length != 0; ++i)
        bytes[from + random() % length] ^= static_cast<char>(1U << random() % 8);
    }
    write_file(path, bytes);
    const loaded is(path);
    if (!carry(*patient(), was, is)) ++refused;
  }
  EXPECT_EQ(was.get<int()>("get")(), 1);
  EXPECT_GT(refused, 0) << "the damage was not even seen once";
}

TEST(description, brings_variables_and_functions_across_and_takes_no_nonsense) {
  using namespace autoreload::types;
  description made;
  made.types.push_back({.kind = kind::base, .encoding = encoding::signed_integer, .name = "int", .size = 4});
  variable v;
  v.unit = "a.c";
  v.function = "f";
  v.name = "n";
  v.order = 2;
  v.type = 1;
  v.storage = storage::memory;
  v.parts.push_back({.offset = 0, .size = 4, .address = 0x4010, .two_valued = true, .clear = 3, .set = 9});
  made.variables.push_back(v);
  made.functions.push_back({"a.c", "f", true, 0x1000, 1});
  const std::string bytes = encode(made);
  const auto read = decode(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(encode(*read), bytes);
  EXPECT_EQ(read->variables.front().parts.front().set, 9U);
  EXPECT_EQ(read->functions.front().address, 0x1000U);
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(decode(std::string_view(bytes).substr(0, size)));
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::string other = bytes;
      other[at] = static_cast<char>(other[at] ^ static_cast<char>(1U << bit));
      if (const auto any = decode(other)) {
        for (const variable& one : any->variables) EXPECT_LT(one.type, any->types.size());
        for (const code& one : any->functions) EXPECT_LT(one.type, any->types.size());
      }
    }
  }
}

}  // namespace
