// SPDX-License-Identifier: MIT
// load: dlopen by the snapshot's own name, and errors in the user's terms.
#include "reload/load/load.hpp"

#include <utility>

#include "reload/load/absent.hpp"
#include "system/host_signals.hpp"
#include "system/nearest.hpp"

namespace autoreload {

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
    for (missing_symbol& symbol : missing) {
      symbol.nearest = nearest_name(symbol.name, names, symbol.name.size() / 3 + 1);
    }
    failure.missing(std::move(missing))
        .advise(
            "define them, export them (no -fvisibility=hidden, no version script that hides them), or declare them "
            "optional");
  }
  return failure;
}

}  // namespace autoreload
