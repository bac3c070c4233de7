// SPDX-License-Identifier: MIT
// engine: a program with the engine and the carrier, as a user has them: a world survives edits of its library.
#include <gtest/gtest.h>

#include <autoreload/automatic_state.hpp>
#include <autoreload/autoreload.hpp>
#include <chrono>
#include <string>

#include "tests/support.hpp"

extern "C" {
int world_step(void);
double world_speed(void);
}

namespace {

using namespace support;

struct world_api {
  autoreload::required<::world_step> step;
  autoreload::required<::world_speed> speed;
};

constexpr const char* before =
    "#include <stdlib.h>\n"
    "struct world { int steps; float speed; int (*rule)(int); };\n"
    "static struct world *world;\nstatic int plus_one(int n) { return n + 1; }\n"
    "static void begin(void) { if (!world) { world = calloc(1, sizeof *world); world->speed = 2; world->rule = "
    "plus_one; } }\n"
    "int world_step(void) { begin(); return world->steps = world->rule(world->steps); }\n"
    "double world_speed(void) { begin(); return world->speed; }\n"
    "void world_end(void) { free(world); world = 0; }\n";
constexpr const char* after =
    "#include <stdlib.h>\n"
    "struct world { double speed; char name[300]; int steps; int (*rule)(int); };\n"
    "static struct world *world;\nint padding(void) { return 3; }\nstatic int plus_one(int n) { return n + 1; }\n"
    "static void begin(void) { if (!world) { world = calloc(1, sizeof *world); world->speed = 2; world->rule = "
    "plus_one; } }\n"
    "int world_step(void) { begin(); return world->steps = world->rule(world->steps) + (world->name[0] != 0); }\n"
    "double world_speed(void) { begin(); return world->speed * 10; }\n"
    "void world_end(void) { free(world); world = 0; }\n";

TEST(engine, a_world_on_the_heap_survives_an_edit_that_adds_a_field_and_the_way_back) {
  const temp_directory directory;
  const std::string path = directory / "libworld.so";
  build_library(path, before);
  autoreload::options options;
  options.observer = autoreload::silent;
  options.drive = autoreload::drive_mode::manual;
  autoreload::state_options carried;
  carried.time_limit = std::chrono::minutes(1);
  options.state = autoreload::automatic_state(carried);
  autoreload::reloadable<world_api> lib(path, options);
  for (int i = 1; i <= 5; ++i) EXPECT_EQ(lib->step(), i);
  EXPECT_EQ(lib->speed(), 2);

  build_library(path, after);
  const auto there = lib.reload();
  ASSERT_TRUE(there) << there.error().what();
  EXPECT_EQ(lib->step(), 6);
  EXPECT_EQ(lib->speed(), 20);

  build_library(path, before);
  const auto back = lib.reload();
  ASSERT_TRUE(back) << back.error().what();
  EXPECT_EQ(lib->step(), 7);

  const auto anew = lib.reload(autoreload::start::fresh);
  ASSERT_TRUE(anew) << anew.error().what();
  EXPECT_EQ(lib->step(), 1);
}

TEST(engine, no_increment_is_lost_over_many_reloads) {
  const temp_directory directory;
  const std::string path = directory / "libworld.so";
  build_library(path, before);
  const std::string one = read_file(path);
  build_library(path, after);
  const std::string other = read_file(path);
  autoreload::options options;
  options.observer = autoreload::silent;
  options.drive = autoreload::drive_mode::manual;
  options.state = autoreload::automatic_state();
  autoreload::reloadable<world_api> lib(path, options);
  for (int i = 1; i <= 100; ++i) {
    EXPECT_EQ(lib->step(), i);
    write_file(path + ".new", i % 2 == 0 ? other : one);
    std::filesystem::rename(path + ".new", path);
    const auto done = lib.reload();
    ASSERT_TRUE(done) << done.error().what();
  }
}

// It ends as tidy libraries do: a count and its array, a buffer that may be the library's own, one that was marked.
constexpr const char* tidy =
    "#include <stdlib.h>\n#include <string.h>\n"
    "int world_ended;\n"
    "struct thing { int value; };\n"
    "static struct thing **things; static int thing_count;\n"
    "static char own[16] = \"none\"; static char *name = own;\n"
    "static void *(*make)(size_t) = malloc;\n"
    "static int *mine __attribute__((section(\".autoreload.fresh\")));\n"
    "int world_step(void) {\n"
    "  if (!mine) mine = make(sizeof *mine);\n"
    "  things = realloc(things, (thing_count + 1) * sizeof *things);\n"
    "  things[thing_count] = make(sizeof **things);\n"
    "  things[thing_count]->value = thing_count + 1; ++thing_count;\n"
    "  if (name == own) { name = make(16); strcpy(name, \"somebody\"); }\n"
    "  int sum = 0;\n"
    "  for (int i = 0; i < thing_count; ++i) sum += things[i]->value;\n"
    "  return sum;\n"
    "}\n"
    "double world_speed(void) { return strcmp(name, \"somebody\") == 0 ? FACTOR : -1; }\n"
    "static void __attribute__((destructor)) end(void) {\n"
    "  for (int i = 0; i < thing_count; ++i) { memset(things[i], 0xee, sizeof *things[i]); free(things[i]); }\n"
    "  if (things) memset(things, 0xee, thing_count * sizeof *things);\n"
    "  free(things);\n"
    "  if (name != own) { strcpy(name, \"gone\"); free(name); }\n"
    "  if (mine) *mine = 0xee;\n"
    "  free(mine);\n"
    "}\n";

TEST(engine, a_destructor_of_the_old_build_does_not_free_what_was_carried) {
  const temp_directory directory;
  const std::string path = directory / "libworld.so";
  const auto build = [&](int factor) { build_library(path, tidy, "-O1 -DFACTOR=" + std::to_string(factor)); };
  build(0);
  autoreload::options options;
  int unloaded = 0;
  options.observer = [&](const autoreload::event& e) {
    unloaded += e.kind == autoreload::event_kind::unloaded ? 1 : 0;
  };
  options.drive = autoreload::drive_mode::manual;
  options.state = autoreload::automatic_state({.time_limit = std::chrono::minutes(1)});
  autoreload::reloadable<world_api> lib(path, options);
  int sum = 0;
  for (int i = 1; i <= 12; ++i) {
    EXPECT_EQ(lib->step(), sum += i);
    EXPECT_EQ(lib->speed(), i - 1);
    build(i);
    const auto done = lib.reload();
    ASSERT_TRUE(done) << done.error().what();
    lib.poll();
  }
  EXPECT_GE(unloaded, 10);
}

TEST(engine, rolling_back_takes_the_state_along_and_starts_anew_where_it_can_not) {
  const temp_directory directory;
  const std::string path = directory / "libworld.so";
  const auto build = [&](const std::string& text) { build_library(path, text); };
  build(before);
  autoreload::options options;
  std::string warned;
  std::shared_ptr<const autoreload::state_report> report;
  options.observer = [&](const autoreload::event& e) {
    if (e.kind == autoreload::event_kind::warning) warned = e.text;
    if (e.kind == autoreload::event_kind::activated) report = e.state;
  };
  options.drive = autoreload::drive_mode::manual;
  options.state = autoreload::automatic_state({.time_limit = std::chrono::minutes(1)});
  autoreload::reloadable<world_api> lib(path, options);
  EXPECT_EQ(lib->step(), 1);
  const auto reload = [&](const std::string& text) {
    build(text);
    const auto done = lib.reload();
    ASSERT_TRUE(done) << done.error().what();
  };
  reload(after);
  EXPECT_EQ(lib->step(), 2);
  const std::string third = std::string(before) + "int more(void) { return 1; }";
  reload(third);
  EXPECT_EQ(lib->step(), 3);
  for (int i = 4; i <= 5; ++i) {  // to the second, then to the first, each with what the one after it remembered
    const auto back = lib.roll_back();
    ASSERT_TRUE(back) << back.error().what();
    ASSERT_NE(report, nullptr);
    EXPECT_EQ(report->kept, 1U);
    EXPECT_EQ(lib->step(), i);
    EXPECT_EQ(lib->speed(), i == 4 ? 20 : 2);
  }
  EXPECT_EQ(warned, "");

  const std::string locking =
      "#include <pthread.h>\npthread_mutex_t busy = PTHREAD_MUTEX_INITIALIZER;\n"
      "void hold(void) { pthread_mutex_lock(&busy); }\n";
  reload(locking + before);
  const std::string step = "int world_step(void) { ";
  std::string holding = locking + before;
  reload(holding.replace(holding.find(step), step.size(), step + "hold(); "));
  EXPECT_EQ(lib->step(), 6);
  const auto anew = lib.roll_back();
  ASSERT_TRUE(anew) << anew.error().what();
  EXPECT_NE(warned.find("starts anew"), std::string::npos) << warned;
  EXPECT_NE(warned.find("its lock busy is held"), std::string::npos) << warned;
  EXPECT_EQ(lib->step(), 1);
}

}  // namespace
