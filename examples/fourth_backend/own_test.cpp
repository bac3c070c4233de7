// SPDX-License-Identifier: MIT
// own_test: what the fourth backend does differently, and that the engine runs on it. The contract is tested apart.
#include "own.hpp"

#include <gtest/gtest.h>

#include <autoreload/autoreload.hpp>

#include "support.hpp"

namespace {

struct index_api {
  autoreload::required_as<"index", int(int)> index;  // libc has a function of this name
};

TEST(FourthBackend, MissesAFunctionThatOnlyTheCLibraryHas) {
  const support::temp_directory directory;
  const std::string library = directory / "libtable.so";
  // Linked with libc whether it is needed or not, as compilers do by default in some systems and not in others.
  support::build_library(library, "int table(void) { return 1; }\n", "-Wl,--no-as-needed");
  const auto loaded = own::module<index_api>::load(library.c_str(), autoreload::default_load_flags);
  ASSERT_FALSE(loaded) << "it took libc's";
  ASSERT_EQ(loaded.error().missing().size(), 1U);
  EXPECT_EQ(loaded.error().missing()[0].type, "int index(int)");
  // So that the test means something: the loader itself would have taken it.
  const auto by_the_loader = autoreload::symbols::module<index_api>::load(library.c_str());
  EXPECT_TRUE(by_the_loader) << by_the_loader.error().what();
}

TEST(FourthBackend, FindsTheLibrarysOwnFunctionOfTheSameName) {
  const support::temp_directory directory;
  const std::string library = directory / "libtable.so";
  support::build_library(library, "int index(int place) { return place + 1; }\n", "-fno-builtin");
  const auto loaded = own::module<index_api>::load(library.c_str(), autoreload::default_load_flags);
  ASSERT_TRUE(loaded) << loaded.error().what();
  EXPECT_EQ(loaded->api().index(4), 5);
}

TEST(FourthBackend, CarriesTheEngine) {
  const support::temp_directory directory;
  const std::string path = directory / "libtable.so";
  support::build_library(path, "int index(int place) { return place + 1; }\n", "-fno-builtin");
  autoreload::event_queue news;
  autoreload::options options;
  options.observer = news.observer();
  const autoreload::reloadable<index_api, own::backend> library(path, options);
  EXPECT_EQ(library->index(4), 5);

  support::build_library(path, "int table(void) { return 1; }\n");
  const auto refused = news.next(autoreload::event_kind::refused, support::patience);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->failure->at(), autoreload::stage::load);
  EXPECT_EQ(library->index(4), 5);

  support::build_library(path, "int index(int place) { return place + 2; }\n", "-fno-builtin");
  ASSERT_TRUE(news.next(autoreload::event_kind::loaded, support::patience));
  EXPECT_EQ(library->index(4), 6);
}

}  // namespace
