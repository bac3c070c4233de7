// SPDX-License-Identifier: MIT
// load: dlopen by the snapshot's own name, and errors in the user's terms.
#include "reload/load/load.hpp"

#include <algorithm>
#include <numeric>
#include <string_view>

#include "reload/load/absent.hpp"
#include "system/host_signals.hpp"

namespace autoreload {
namespace {

// Levenshtein's distance: edits of one character that turn a into b.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row.back();
}

std::string nearest(const std::string& wanted, const std::vector<std::string>& names) {
  std::string best;
  std::size_t least = wanted.size() / 3 + 2;  // farther than that is another word, not a slip
  for (const std::string& name : names) {
    const std::size_t apart = name == wanted ? least : distance(wanted, name);
    if (apart < least) {
      least = apart;
      best = name;
    }
  }
  return best;
}

}  // namespace

result<std::unique_ptr<detail::erased_module>> load(const detail::loader& api, const std::string& path, snapshot& image,
                                                    std::span<const std::byte> bytes, int flags) {
  const hosts_signals while_constructors_run;
  auto loaded =
      api.host != nullptr ? api.host->load(image.load_path.c_str(), flags) : api.load(image.load_path.c_str(), flags);
  image.loaded();
  if (loaded) return remember_table(*std::move(loaded), api, path);
  error failure = std::move(loaded.error());
  failure.rename(path);
  if (!failure.missing().empty()) {
    std::vector<missing_symbol> missing = failure.missing();
    const std::vector<std::string> names = exported_names(bytes);
    for (missing_symbol& symbol : missing) symbol.nearest = nearest(symbol.name, names);
    failure.missing(std::move(missing))
        .advise(
            "define them, export them (no -fvisibility=hidden, no version script that hides them), or declare them "
            "optional");
  }
  return failure;
}

}  // namespace autoreload
