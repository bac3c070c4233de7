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

}  // namespace
