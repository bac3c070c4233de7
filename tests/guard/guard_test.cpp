// SPDX-License-Identifier: MIT
// guard: this program is the host, compiled against contract.h; the library is compiled anew with one edit after the
// other, and the guard is asked as the engine would ask it.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <map>
#include <optional>
#include <thread>

#include "contract.h"
#include "support.hpp"

int host_reads(const widget& w);

namespace {

using namespace autoreload_test;
using autoreload::abi_guard_options;
using autoreload::abi_policy;
using autoreload::make_abi_guard;
using std::chrono::milliseconds;

struct contract_api {
  autoreload::required<::foo> foo;
  autoreload::required<::draw> draw;
  autoreload::required<::begin> begin;
  autoreload::required<::step> step;
  autoreload::required<::show> show;
  autoreload::optional<::spare> spare;
  autoreload::required<::level> level;
};

// The host uses what it passes, like every host.
int host_uses(const point& p) { return p.x + p.y; }

const std::string point_grew =
    "struct point: size 8 became 12, field z added at offset 8 (reached through draw(const struct point *))";

class guard : public testing::Test {
 protected:
  static void SetUpTestSuite() { directory_.emplace(); }
  static void TearDownTestSuite() { directory_.reset(); }

  static const std::string& path() {
    static const std::string path = *directory_ / "libcontract.so";
    return path;
  }

  // The library with an edit, as flags of the compiler. Built once for all tests.
  static int library(const std::string& flags = "", const std::string& sources = "contract.c") {
    static std::map<std::string, unique_fd> built;
    unique_fd& file = built[flags + sources];
    if (!file) {
      std::string command = "cc -g " + flags + " -fPIC -shared -o '" + path() + "'";
      for (std::size_t begin = 0; begin < sources.size();) {
        const std::size_t end = std::min(sources.find(' ', begin), sources.size());
        command += " '" + std::string(AUTORELOAD_CONTRACT) + "/" + sources.substr(begin, end - begin) + "'";
        begin = end + 1;
      }
      EXPECT_TRUE(directory_->run(command));
      file = snapshot(path());
    }
    return file.get();
  }

  static guard_verdict ask(autoreload::abi_checker& checker, int candidate, int running) {
    return checker.check({path(), candidate, running, autoreload::symbols_of<contract_api>(), "contract_api"});
  }
  static guard_verdict ask(abi_guard_options options, int candidate, int running = -1) {
    return ask(*make_abi_guard(patient(std::move(options))), candidate, running);
  }

  static std::optional<scratch_directory> directory_;
};
std::optional<scratch_directory> guard::directory_;

TEST_F(guard, has_nothing_to_say_of_the_library_that_the_host_was_compiled_for) {
  EXPECT_EQ(text_of(ask({.policy = abi_policy::strict}, library())), "passes");
  EXPECT_EQ(text_of(ask({.policy = abi_policy::strict}, library("-O2 -DNO_SPARE"), library())), "passes");
  EXPECT_EQ(host_uses({1, 2}), 3);
}

TEST_F(guard, speaks_of_a_changed_signature_like_a_reviewer) {
  const guard_verdict verdict = ask({}, library("-DFOO_TAKES_ONE"), library());
  EXPECT_TRUE(verdict.refuse);
  EXPECT_EQ(verdict.differences, std::vector<std::string>{"foo: int32_t (void) became int32_t (int32_t)"});
}

TEST_F(guard, speaks_of_a_changed_layout_and_of_the_way_to_it) {
  const guard_verdict verdict = ask({}, library("-DPOINT_GROWS"), library());
  EXPECT_TRUE(verdict.refuse);
  EXPECT_EQ(verdict.differences, std::vector<std::string>{point_grew});
}

TEST_F(guard, checks_the_first_load_against_what_the_host_was_compiled_for) {
  const guard_verdict signature = ask({}, library("-DFOO_TAKES_ONE"));
  EXPECT_TRUE(signature.refuse);
  EXPECT_EQ(signature.differences,
            std::vector<std::string>{"foo: the host was compiled for int (void), the library has int32_t (int32_t)"});
  const guard_verdict layout = ask({}, library("-DPOINT_GROWS"));
  EXPECT_TRUE(layout.refuse);
  EXPECT_EQ(layout.differences,
            std::vector<std::string>{"struct point: size 8 in the host, 12 in the library, field z at offset 8 is "
                                     "unknown to the host (reached through draw(const struct point *))"});
}

TEST_F(guard, checks_a_variable) {
  EXPECT_EQ(ask({}, library("-DLEVEL_IS_LONG"), library()).differences,
            std::vector<std::string>{"level: int became long"});
  EXPECT_EQ(ask({}, library("-DLEVEL_IS_LONG")).differences,
            std::vector<std::string>{"level: the host was compiled for int, the library has long"});
}

TEST_F(guard, leaves_a_missing_symbol_to_who_loads) {
  EXPECT_EQ(text_of(ask({}, library("-Dstep=stride"), library())), "passes");
}

// --- what the host can't see into ----------------------------------------------------------------

TEST_F(guard, refuses_a_new_layout_of_what_the_running_version_made_and_the_host_hands_over) {
  const guard_verdict verdict = ask({}, library("-DSESSION_GROWS"), library());
  EXPECT_TRUE(verdict.refuse);
  EXPECT_EQ(
      verdict.differences,
      std::vector<std::string>{"struct session: size 4 became 8, field failures added at offset 4 (reached through "
                               "step(struct session *)); the host can't see into it, but hands over what the "
                               "running version made"});
}

TEST_F(guard, takes_a_private_layout_at_the_first_load_as_it_comes) {
  EXPECT_EQ(text_of(ask({}, library("-DSESSION_GROWS"))), "passes");
}

TEST_F(guard, lets_a_private_layout_change_for_a_host_that_makes_its_objects_anew) {
  const guard_verdict verdict = ask({.handles_survive = false}, library("-DSESSION_GROWS"), library());
  EXPECT_FALSE(verdict.refuse) << text_of(verdict);
  EXPECT_TRUE(says(verdict.notes, "struct session: size 4 became 8")) << text_of(verdict);
}

TEST_F(guard, knows_a_struct_that_only_another_source_of_the_host_defines) {
  EXPECT_FALSE(ask({}, library("-DSHOW_KNOWS_WIDGET")).refuse);
  const guard_verdict verdict = ask({}, library("-DSHOW_KNOWS_WIDGET -DWIDGET_GROWS"));
  EXPECT_TRUE(says(verdict.differences, "struct widget: size 4 in the host, 8 in the library")) << text_of(verdict);
}

TEST_F(guard, finds_a_struct_that_only_another_source_of_the_library_defines) {
  const std::string sources = "contract.c widget.c";
  EXPECT_EQ(text_of(ask({}, library("", sources))), "passes");
  const guard_verdict verdict = ask({}, library("-DWIDGET_GROWS", sources));
  EXPECT_TRUE(says(verdict.differences, "struct widget: size 4 in the host, 8 in the library")) << text_of(verdict);
}

// --- policies ------------------------------------------------------------------------------------

TEST_F(guard, warns_only_when_told_so) {
  const guard_verdict verdict = ask({.policy = abi_policy::warn}, library("-DPOINT_GROWS"), library());
  EXPECT_FALSE(verdict.refuse);
  EXPECT_EQ(verdict.differences, std::vector<std::string>{point_grew});
}

TEST_F(guard, is_silent_when_off) {
  EXPECT_EQ(text_of(ask({.policy = abi_policy::off, .helper = "/nonexistent"}, library("-DPOINT_GROWS"), library())),
            "passes");
}

TEST_F(guard, makes_exceptions_by_name) {
  EXPECT_EQ(text_of(ask({.exceptions = {"foo"}}, library("-DFOO_TAKES_ONE"), library())), "passes");
  EXPECT_EQ(text_of(ask({.exceptions = {"draw"}}, library("-DPOINT_GROWS"), library())), "passes");
  EXPECT_EQ(text_of(ask({.exceptions = {"struct point"}}, library("-DPOINT_GROWS"), library())), "passes");
  EXPECT_EQ(text_of(ask({.exceptions = {"struct session"}}, library("-DSESSION_GROWS"), library())), "passes");
  EXPECT_EQ(text_of(ask({.exceptions = {"level"}}, library("-DLEVEL_IS_LONG"), library())), "passes");
  EXPECT_TRUE(ask({.exceptions = {"draw"}}, library("-DFOO_TAKES_ONE"), library()).refuse);
}

TEST_F(guard, an_excepted_function_does_not_hide_a_type_from_the_others) {
  EXPECT_TRUE(ask({.exceptions = {"begin"}}, library("-DSESSION_GROWS"), library()).refuse);
}

// --- without debug information -------------------------------------------------------------------

TEST_F(guard, says_once_that_it_sees_nothing_and_starts_nothing) {
  const auto checker = make_abi_guard(patient({.helper = "/nonexistent"}));
  const guard_verdict first = ask(*checker, library("-DFOO_TAKES_ONE -g0"), library());
  EXPECT_EQ(text_of(first),
            "passes\n  note: the library has no debug information (-g): its functions and types are not checked");
  EXPECT_EQ(text_of(ask(*checker, library("-DFOO_TAKES_ONE -g0"), library())), "passes");
}

TEST_F(guard, strictly_refuses_what_it_can_not_see) {
  const guard_verdict verdict = ask({.policy = abi_policy::strict}, library("-g0"), library());
  EXPECT_TRUE(verdict.refuse);
  EXPECT_TRUE(says(verdict.differences, "no debug information")) << text_of(verdict);
}

TEST_F(guard, sees_the_size_of_a_variable_without_debug_information) {
  const guard_verdict verdict = ask({}, library("-DLEVEL_IS_LONG -g0"));
  EXPECT_TRUE(verdict.refuse);
  EXPECT_EQ(verdict.differences, std::vector<std::string>{"level: 4 bytes in the host, 8 in the library"});
}

TEST_F(guard, sees_signatures_for_a_host_without_debug_information) {
  std::vector<symbol_info> symbols = autoreload::symbols_of<contract_api>();
  for (symbol_info& s : symbols) {
    if (s.name == std::string("foo"))
      s.declaration = [](const char* name) { return "int " + std::string(name) + "(void)"; };
    if (s.name == std::string("draw")) {
      s.declaration = [](const char* name) { return "int " + std::string(name) + "(const struct point *)"; };
    }
  }
  const auto checker = make_abi_guard(patient());
  const auto ask_for = [&](int candidate) { return checker->check({path(), candidate, -1, symbols, "spelled_api"}); };
  const guard_verdict verdict = ask_for(library("-DFOO_TAKES_ONE"));
  EXPECT_TRUE(verdict.refuse);
  EXPECT_EQ(verdict.differences,
            std::vector<std::string>{"foo: the host was compiled for int (void), the library has int32_t (int32_t)"});
  EXPECT_TRUE(says(verdict.notes, "the host has no debug information")) << text_of(verdict);
  const guard_verdict layout = ask_for(library("-DPOINT_GROWS"));
  EXPECT_EQ(text_of(layout), "passes") << "a struct is a name there, and the note was given";
}

// --- the running generation ----------------------------------------------------------------------

TEST_F(guard, describes_a_running_version_that_it_has_not_seen_before) {
  const auto checker = make_abi_guard(patient());
  EXPECT_TRUE(ask(*checker, library("-DPOINT_GROWS"), library()).refuse);
}

TEST_F(guard, remembers_the_running_version_when_its_debug_information_is_gone) {
  const scratch_directory directory;
  ASSERT_TRUE(directory.run("cc -g -gsplit-dwarf -fPIC -c -o it.o '" AUTORELOAD_CONTRACT
                            "/contract.c' && cc -shared -o it.so it.o"));
  const unique_fd running = snapshot(directory / "it.so");
  const auto checker = make_abi_guard(patient());
  const std::vector<symbol_info> symbols{function("foo")};  // nothing known of the host
  EXPECT_FALSE(checker->check({directory / "it.so", running.get(), -1, symbols, ""}).refuse);
  ASSERT_TRUE(directory.run("rm it.o *.dwo"));
  const guard_verdict verdict =
      checker->check({directory / "it.so", library("-DFOO_TAKES_ONE"), running.get(), symbols, ""});
  EXPECT_EQ(verdict.differences, std::vector<std::string>{"foo: int32_t (void) became int32_t (int32_t)"})
      << text_of(verdict);
}

TEST_F(guard, compares_with_what_runs_and_not_with_what_was_refused) {
  const auto checker = make_abi_guard(patient());
  EXPECT_FALSE(ask(*checker, library(), -1).refuse);
  EXPECT_TRUE(ask(*checker, library("-DPOINT_GROWS"), library()).refuse);
  EXPECT_TRUE(ask(*checker, library("-DPOINT_GROWS -O1"), library()).refuse);
  EXPECT_FALSE(ask(*checker, library("-O2"), library()).refuse);
}

// --- the helper process --------------------------------------------------------------------------

class helper : public guard {
 protected:
  // A program in the helper's place that does what a script says.
  static std::string stand_in(const scratch_directory& directory, const std::string& script) {
    directory.write("helper", "#!/bin/sh\n" + script + "\n");
    std::filesystem::permissions(directory / "helper", std::filesystem::perms::owner_all);
    return directory / "helper";
  }

  static void expect_unread(const std::string& script, const std::string& why,
                            milliseconds limit = std::chrono::minutes(1)) {
    const scratch_directory directory;
    abi_guard_options options{.time_limit = limit, .helper = stand_in(directory, script)};
    const guard_verdict verdict = ask(*make_abi_guard(options), library("-DPOINT_GROWS"), library());
    EXPECT_FALSE(verdict.refuse) << text_of(verdict);
    EXPECT_TRUE(says(verdict.notes, "the library's debug information was not read: " + why)) << text_of(verdict);
    options.policy = abi_policy::strict;
    EXPECT_TRUE(ask(*make_abi_guard(options), library("-DPOINT_GROWS"), library()).refuse);
  }
};

TEST_F(helper, that_hangs_is_stopped) {
  expect_unread("exec sleep 1000", "its helper process took too long and was stopped", milliseconds(200));
}
TEST_F(helper, that_crashes_is_survived) {
  expect_unread("kill -SEGV $$", "its helper process ended without a whole answer");
}
TEST_F(helper, that_stops_in_the_middle_is_not_believed) {
  expect_unread("printf '\\020autoreload-abi-1\\001'", "its helper process ended without a whole answer");
}
TEST_F(helper, that_answers_nonsense_is_not_believed) {
  expect_unread("head -c 100000 /dev/urandom", "its helper process ended without a whole answer");
}
TEST_F(helper, that_never_stops_talking_is_stopped) {
  expect_unread("exec cat /dev/zero", "its helper process answered far too much");
}

TEST_F(helper, that_is_missing_is_named) {
  const guard_verdict verdict = ask({.helper = "/nonexistent/helper"}, library("-DPOINT_GROWS"), library());
  EXPECT_FALSE(verdict.refuse);
  EXPECT_TRUE(says(verdict.notes, "\"/nonexistent/helper\" did not start: No such file")) << text_of(verdict);
}

TEST_F(helper, is_where_the_build_system_found_it_or_else_where_it_was_installed) {
  const auto place = [](const char* said, const std::string& header) {
    return autoreload::detail::guard_helper(said, header.c_str());
  };
  EXPECT_EQ(place("/bin/true", ""), "/bin/true");
  EXPECT_TRUE(place("/nonexistent", "abi_guard.hpp").ends_with("/autoreload/autoreload-guard-helper"));
  // An installed directory, at a path that no shell and no macro takes as it is.
  const scratch_directory directory;
  ASSERT_TRUE(
      directory.run("mkdir -p 'a \"linux\" /include/autoreload' 'a \"linux\" /libexec/autoreload' && "
                    "cp /bin/true 'a \"linux\" /libexec/autoreload/autoreload-guard-helper'"));
  const std::string found = place("", directory / "a \"linux\" /include/autoreload/abi_guard.hpp");
  EXPECT_TRUE(std::filesystem::equivalent(found, directory / "a \"linux\" /libexec/autoreload/autoreload-guard-helper"))
      << found;
}

TEST_F(helper, gets_nothing_of_the_host_but_what_it_needs) {
  const scratch_directory directory;
  const unique_fd leaked(open("/dev/null", O_RDONLY));  // without O_CLOEXEC, as hosts do
  ASSERT_EQ(setenv("AUTORELOAD_SECRET", "1", 1), 0);
  const std::string script = "cd '" + directory.path() + "'; env >environment; ls /proc/$$/fd >descriptors";
  (void)ask({.helper = stand_in(directory, script)}, library());
  unsetenv("AUTORELOAD_SECRET");
  EXPECT_EQ(contents(directory / "environment").find("SECRET"), std::string::npos);
  const std::string descriptors = contents(directory / "descriptors");
  EXPECT_TRUE(descriptors.starts_with("0\n1\n")) << descriptors;
  EXPECT_EQ(descriptors.find("\n" + std::to_string(leaked.get()) + "\n"), std::string::npos) << descriptors;
}

TEST_F(helper, works_for_a_host_that_ignores_or_reaps_its_children) {
  const auto before = std::signal(SIGCHLD, SIG_IGN);
  EXPECT_TRUE(ask({}, library("-DPOINT_GROWS"), library()).refuse);
  std::signal(SIGCHLD, [](int) {
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
  });
  EXPECT_TRUE(ask({}, library("-DPOINT_GROWS"), library()).refuse);
  std::signal(SIGCHLD, before);
}

TEST_F(helper, works_for_a_host_without_standard_streams) {
  const int candidate = library("-DPOINT_GROWS");
  const int running = library();
  EXPECT_EXIT(
      {
        for (const int stream : {0, 1, 2}) close(stream);
        const int low = dup(candidate);  // now the candidate is descriptor 0
        _exit(ask({}, low, running).refuse ? 42 : 1);
      },
      testing::ExitedWithCode(42), "");
}

TEST_F(helper, leaves_no_process_and_no_descriptor_behind) {
  const auto count = [] {
    const std::filesystem::directory_iterator list("/proc/self/fd");
    return std::distance(begin(list), end(list));
  };
  const auto checker = make_abi_guard(patient());
  const int before = library();
  const int after = library("-DPOINT_GROWS");
  (void)ask(*checker, after, before);
  const auto descriptors = count();
  for (int i = 0; i < 10; ++i) (void)ask(*checker, after, before);
  EXPECT_EQ(count(), descriptors);
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
}

TEST_F(helper, serves_several_engines_at_once) {
  const auto checker = make_abi_guard(patient());
  const int before = library();
  const int after = library("-DPOINT_GROWS");
  std::atomic<int> right = 0;
  std::vector<std::thread> engines;
  for (int engine = 0; engine < 4; ++engine) {
    engines.emplace_back([&, engine] {
      for (int i = 0; i < 5; ++i) {
        const bool changed = (engine + i) % 2 == 0;
        if (ask(*checker, changed ? after : before, before).refuse == changed) ++right;
      }
    });
  }
  for (std::thread& engine : engines) engine.join();
  EXPECT_EQ(right, 20);
}

}  // namespace
