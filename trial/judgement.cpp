// SPDX-License-Identifier: MIT
// judgement: turns a report into a sentence.
#include "trial/judgement.hpp"

#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "crash/place_words.hpp"
#include "reload/snapshot/snapshot.hpp"
#include "system/signal_name.hpp"

namespace autoreload {
namespace {

std::string last_output(const trial_report& report) {
  constexpr auto room = static_cast<std::size_t>(trial_text_size);
  std::string text(report.output, std::min<std::size_t>(report.output_size, room));
  if (report.output_size > room) std::rotate(text.begin(), text.begin() + report.output_size % room, text.end());
  while (!text.empty() && (text.back() == '\n' || text.back() == '\0')) text.pop_back();
  return text;
}

std::string time_text(std::chrono::milliseconds time) {
  if (time.count() % 1000 == 0) return std::to_string(time.count() / 1000) + " s";
  return std::to_string(time.count()) + " ms";
}

std::string test_of(const trial_options& options) {
  return options.policy.smoke.empty() ? own_test : options.policy.smoke;
}

// What was going on, as the end of "it called exit(3) …", and whose doing it probably was.
struct moment {
  std::string subject;
  std::string when;
};

moment moment_of(const trial_report& report, const trial_options& options) {
  const auto item_of = [&](std::size_t start, const std::vector<std::string>& list) {
    const std::size_t at = report.item - start;
    return report.item >= start && at < list.size() ? "\"" + list[at] + "\"" : std::string("one of them");
  };
  switch (report.phase) {
    case trial_dependency:
      return {"a constructor of its dependency " + item_of(0, options.dependencies), "while that was being loaded"};
    case trial_loading: return {"its constructor", "while it was being loaded"};
    case trial_symbol:
      return {"the resolver of its symbol " + item_of(options.dependencies.size(), options.symbols),
              "while that was being looked up"};
    case trial_testing: return {"its test \"" + test_of(options) + "\"", "while it was being tested"};
    case trial_calling: {
      const std::string call = report.item < options.calls.size() ? to_string(options.calls[report.item]) : "one";
      return {"the recorded call " + call, "while the recorded call " + call + " was made"};
    }
    case trial_unloading: return {"its destructor", "while it was being unloaded"};
    default: return {"the trial helper", "before it began"};
  }
}

}  // namespace

bool is_passing(int number) { return is_shortage(number) || number == EAGAIN || number == EFBIG; }

const char* other_helper() {
  const char* const name = ::secure_getenv("AUTORELOAD_TRIAL_HELPER");
  return name != nullptr && *name != '\0' ? name : nullptr;
}

std::optional<setback> judge_trial(const trial_report& report, const std::string& path, const trial_options& options,
                                   int snapshot) {
  using kind = setback_kind;
  const auto no = [&](kind what, std::string reason, std::string system, std::string advice) {
    return setback{what,
                   error(stage::trial, path, std::move(reason)).system(std::move(system)).advise(std::move(advice))};
  };
  if (report.start_error != 0) {
    return no(is_passing(report.start_error) ? kind::shortage : kind::refused_elsewhere,
              "the trial helper could not be started", std::strerror(report.start_error),
              other_helper() != nullptr ? "AUTORELOAD_TRIAL_HELPER must name the installed autoreload-trial executable"
                                        : "name an installed helper by the environment variable "
                                          "AUTORELOAD_TRIAL_HELPER, or switch the trial load off");
  }
  if (report.cancelled != 0) {
    return no(kind::withdrawn, "the trial load was given up, because its caller stops", {}, {});
  }
  if (report.ended == 0 && report.overdue == 0) {
    return no(kind::refused_elsewhere, "somebody killed the trial load's supervisor", {}, {});
  }
  const auto [subject, when] = moment_of(report, options);
  std::string reason;
  std::string advice = "mend it; until then the running generation stays";
  const std::string output = last_output(report);
  if (report.overdue != 0) {
    reason = subject + " did not finish in " + time_text(options.policy.time_limit);
    advice = "mend it, or raise trial_policy::time_limit; until then the running generation stays";
  } else if (WIFSIGNALED(report.status) || report.crash_signal != 0) {  // a sanitizer that reports a crash exits
    const int number = report.crash_signal != 0 ? static_cast<int>(report.crash_signal) : WTERMSIG(report.status);
    const char* const name = signal_name(number);
    // The words of the two C++ runtimes.
    if (number == SIGABRT &&
        (output.find("terminate called") != std::string::npos || output.find("terminating with") != std::string::npos ||
         output.find("terminating due to") != std::string::npos)) {
      reason = subject + " threw an exception that nobody caught (SIGABRT)";
    } else {
      reason = subject + " died of " + (name != nullptr ? std::string(name) : "signal " + std::to_string(number));
    }
    if (report.crash_known != 0) reason += " in " + words_for_address(snapshot, report.crash_address);
    if (report.phase == trial_loading)
      advice = "mend it, or the file, if that is damaged; until then the running generation stays";
    if (report.phase == trial_not_started) advice = "raise trial_policy::memory_limit, if that is low";
    if (report.phase == trial_unloading) {
      advice = "mend it, or keep old generations loaded and unset trial_policy::destructors";
    }
  } else if (report.phase == trial_no_path && WIFEXITED(report.status) && WEXITSTATUS(report.status) == 0) {
    reason = "the trial helper can't reach the snapshot";
    advice = "mount /proc, or switch the trial load off";
  } else if (report.phase == trial_not_started) {
    reason = "the trial helper ended with status " + std::to_string(WEXITSTATUS(report.status)) + " before it began";
    advice = other_helper() != nullptr ? "AUTORELOAD_TRIAL_HELPER must name an autoreload-trial of the same version"
                                       : "raise trial_policy::memory_limit, if that is low";
  } else if (report.phase == trial_untested) {
    reason = "it has no function \"" + options.policy.smoke + "\" to be tested by";
    advice = "export it, or empty trial_policy::smoke; until then the running generation stays";
  } else if (report.phase == trial_failed) {
    reason = "its test \"" + test_of(options) + "\" answered " + std::to_string(static_cast<std::int32_t>(report.item));
  } else if (report.phase == trial_done || report.phase == trial_refused) {
    return {};
  } else {
    reason = "it called exit(" + std::to_string(WEXITSTATUS(report.status)) + ") " + when;
  }
  const bool of_the_helper = report.phase == trial_no_path || report.phase == trial_not_started;
  return no(of_the_helper ? kind::refused_elsewhere : kind::refused_content, std::move(reason), output,
            std::move(advice));
}

}  // namespace autoreload
