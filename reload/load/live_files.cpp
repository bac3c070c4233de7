// SPDX-License-Identifier: MIT
// live_files: asks the loader what it has, before and after.
#include "reload/load/live_files.hpp"

#include <link.h>

#include <algorithm>

#include "reload/dependencies/packaged.hpp"

namespace autoreload {
namespace {

void for_each_library(auto body) {
  dl_iterate_phdr(
      [](dl_phdr_info* object, std::size_t, void* argument) {
        (*static_cast<decltype(body)*>(argument))(*object);
        return 0;
      },
      &body);
}

}  // namespace

loaded_libraries::loaded_libraries() {
  for_each_library([&](const dl_phdr_info& one) { bases_.push_back(one.dlpi_addr); });
  std::sort(bases_.begin(), bases_.end());
}

std::vector<std::string> loaded_libraries::newcomers() const {
  std::vector<std::string> names;
  for_each_library([&](const dl_phdr_info& one) {
    if (!std::binary_search(bases_.begin(), bases_.end(), one.dlpi_addr)) names.emplace_back(one.dlpi_name);
  });
  return names;
}

std::vector<std::string> live_files(const loaded_libraries& before, const generation& made,
                                    const std::vector<left_library>& left) {
  std::vector<std::string> warnings;
  for (const std::string& name : before.newcomers()) {
    const auto is_it = [&](const auto& library) { return library->image.load_path == name; };
    if (name == made.image.load_path || std::any_of(made.needs.begin(), made.needs.end(), is_it)) continue;
    if (name.find('/') == std::string::npos || !original_name(name).empty() || is_packaged(name)) continue;
    std::string text =
        "\"" + name +
        "\" came with it, mapped from that file itself: a rebuilt one is not loaded, and who writes into "
        "the file instead of replacing it changes or ends this program";
    const auto known = std::find_if(left.begin(), left.end(), [&](const auto& one) { return one.path == name; });
    if (known != left.end()) text += "; " + known->reason;
    warnings.push_back(std::move(text));
  }
  return warnings;
}

}  // namespace autoreload
