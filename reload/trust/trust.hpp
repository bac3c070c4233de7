// SPDX-License-Identifier: MIT
// trust: applies a trust_policy to a library that is opened.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <autoreload/error.hpp>
#include <autoreload/trust.hpp>

#include "reload/setback.hpp"
#include "system/unique_fd.hpp"

namespace autoreload {

class change_source;

/// The reason of the one refusal that is no verdict: between open and check, the path came to lead to another file. The
/// event for that other file is on its way; wait for it quietly.
inline constexpr std::string_view replaced_meanwhile = "it was replaced while it was being opened";

/// Whether the opened library may be loaded.
///
/// @param file  the library, opened by the caller with O_RDONLY | O_NONBLOCK | O_CLOEXEC and not read yet
/// @param path  the path that it was opened by; only the directories on its way are looked at, nothing is opened
/// @param way_is_known  the directories were looked at before, and did not change since: the file alone is looked at
/// @return an error of stage snapshot whose reason names the rule and whose advice names the option that changes it
/// Thread-safety: any thread; a relative path needs a working directory that does not change meanwhile.
[[nodiscard]] result<void> check_trust(int file, const std::string& path, const trust_policy& policy,
                                       bool way_is_known = false);

/// Opens the library of one engine, again and again. The way to it is judged once, and again when it has changed. Not
/// thread-safe.
class trusted_opener {
 public:
  struct outcome {
    unique_fd file;             ///< readable, not read yet
    bool replaced = false;      ///< each time while it was judged: what is open may not be what is there
    std::optional<setback> no;  ///< why there is none: absent, not to be opened, not to be trusted
  };
  /// @param watched  tells whether the way has changed; null: that is not known
  [[nodiscard]] outcome open(const std::string& path, const trust_policy& policy, change_source* watched);

 private:
  [[nodiscard]] result<void> judge(const unique_fd& file, const std::string& path, const trust_policy& policy,
                                   change_source* watched);

  std::optional<std::uint64_t> judged_;  // see change_source::way()
  std::optional<dev_t> device_;          // of the last file: another one when something is mounted on the way
};

}  // namespace autoreload
