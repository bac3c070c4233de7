// SPDX-License-Identifier: MIT
// arrival: the ways in which a new build becomes complete, each taking the time right before it does.
#pragma once

#include <string>

#include "../harness/directory.hpp"
#include "series.hpp"

namespace bench {

enum class arrival {
  renamed,          ///< as lld and mold do; in memory, where the writer's own work is next to nothing
  closed,           ///< as ld.bfd and gold do; in memory
  renamed_on_disk,  ///< ext4, for one, starts to write the new file out before it lets the rename happen
};

[[nodiscard]] inline directory::on place_of(arrival how) noexcept {
  return how == arrival::renamed_on_disk ? directory::on::disk : directory::on::memory;
}

/// Prepares `content` (in `staging`, where it will be renamed), then makes it complete at `path`. @return the moment
/// before the system call that does
inline steady::time_point deliver(arrival how, const std::string& path, const directory& staging,
                                  const bytes& content) {
  if (how != arrival::closed) {
    const delivery prepared(path, staging, content);
    const auto start = steady::now();
    prepared.complete();
    return start;
  }
  written_in_place prepared(path, content);
  const auto start = steady::now();
  prepared.complete();
  return start;
}

}  // namespace bench
