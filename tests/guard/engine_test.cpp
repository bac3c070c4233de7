// SPDX-License-Identifier: MIT
// engine: a program that calls a library through `reloadable`, with the guard in the pipeline, while the library's
// header is edited: what it refuses is never called.
#include <autoreload/autoreload.hpp>

#include "contract.h"
#include "support.hpp"

namespace {

using namespace autoreload_test;

struct contract_api {
  autoreload::required<::foo> foo;
  autoreload::required<::draw> draw;
};
using library = autoreload::reloadable<contract_api>;

// The host uses what it passes, like every host: clang describes no struct that is only pointed to.
int drawn(library& lib, const point& p) { return lib->draw(&p) - p.x; }

class guarded : public testing::Test {
 protected:
  void build(const std::string& flags) const {
    ASSERT_TRUE(directory_.run("cc -g " + flags +
                               " -fPIC -shared -o new.so '" AUTORELOAD_CONTRACT
                               "/contract.c' && mv new.so libcontract.so"));
  }
  autoreload::options guarded_by(autoreload::abi_guard_options how = {}) {
    autoreload::options chosen;
    chosen.drive = autoreload::drive_mode::manual;
    chosen.guard = autoreload::make_abi_guard(patient(std::move(how)));
    chosen.observer = [this](const autoreload::event& e) {
      if (e.kind == autoreload::event_kind::warning) warnings_.push_back(e.text);
    };
    return chosen;
  }
  static std::string failure_of(const library& lib) {
    return lib.last_failure() ? lib.last_failure()->what() : "nothing failed";
  }

  scratch_directory directory_;
  std::vector<std::string> warnings_;
};

TEST_F(guarded, a_program_calls_on_when_a_signature_changed_and_takes_it_when_it_is_back) {
  build("");
  library lib(directory_ / "libcontract.so", guarded_by());
  ASSERT_TRUE(lib.loaded()) << failure_of(lib);
  build("-DFOO_TAKES_ONE");
  EXPECT_FALSE(lib.reload());
  EXPECT_EQ(lib.generation(), 1U);
  EXPECT_EQ(lib->foo(), 4);
  ASSERT_TRUE(lib.last_failure());
  EXPECT_EQ(lib.last_failure()->at(), autoreload::stage::guard);
  EXPECT_NE(failure_of(lib).find("foo: int32_t (void) became int32_t (int32_t)"), std::string::npos) << failure_of(lib);
  build("-O2");
  EXPECT_TRUE(lib.reload());
  EXPECT_EQ(lib.generation(), 2U);
  EXPECT_EQ(drawn(lib, {7, 8}), 0);
}

TEST_F(guarded, a_first_load_that_does_not_fit_the_host_is_refused) {
  build("-DPOINT_GROWS");
  const library lib(directory_ / "libcontract.so", guarded_by());
  EXPECT_FALSE(lib.loaded());
  EXPECT_NE(failure_of(lib).find("struct point: size 8 in the host, 12 in the library"), std::string::npos)
      << failure_of(lib);
}

TEST_F(guarded, a_warning_is_an_event_and_the_new_library_is_called) {
  build("");
  library lib(directory_ / "libcontract.so", guarded_by({.policy = autoreload::abi_policy::warn}));
  build("-DPOINT_GROWS");
  EXPECT_TRUE(lib.reload()) << failure_of(lib);
  EXPECT_EQ(lib.generation(), 2U);
  EXPECT_TRUE(says(warnings_, "struct point: size 8 became 12")) << testing::PrintToString(warnings_);
}

}  // namespace
