// SPDX-License-Identifier: MIT
// open: opens a library, and looks at the way to it when that may have changed.
#include <fcntl.h>

#include <cerrno>
#include <system_error>

#include "reload/snapshot/snapshot.hpp"
#include "reload/trust/trust.hpp"
#include "reload/watch/change_source.hpp"

namespace autoreload {
namespace {

setback not_opened(const std::string& path, int number) {
  if (number == ENOENT || number == ENOTDIR) {
    return {setback_kind::unfinished,
            error(stage::snapshot, path, "there is no such file").advise("it is loaded as soon as it is there")};
  }
  return {is_shortage(number) ? setback_kind::shortage : setback_kind::refused_elsewhere,
          error(stage::snapshot, path, "the file can't be opened").system(std::generic_category().message(number))};
}

}  // namespace

// What has changed on the way is asked for after the file was opened: what leads elsewhere, or lets others write, was
// told by then.
result<void> trusted_opener::judge(const unique_fd& file, const std::string& path, const trust_policy& policy,
                                   change_source* watched) {
  const std::optional<std::uint64_t> way = watched != nullptr ? watched->way() : std::nullopt;
  const bool elsewhere = device_ && file.device() != *device_;
  const bool known = way && way == judged_ && !elsewhere;
  result<void> trusted = check_trust(file.get(), path, policy, known);
  if (!known) judged_ = trusted ? way : std::nullopt;
  if (elsewhere && watched != nullptr) {  // until that is watched, it is judged each time
    judged_.reset();
    watched->doubt_way();
  }
  device_ = file.device();
  return trusted;
}

trusted_opener::outcome trusted_opener::open(const std::string& path, const trust_policy& policy,
                                             change_source* watched) {
  outcome opened{{}, true, {}};
  // Replaced while the way to it is judged, it is another file: then once more from the start.
  for (int attempts = 16; attempts > 0 && opened.replaced; --attempts) {
    // O_NONBLOCK: a FIFO in its place must not hang the host. O_NOFOLLOW: a link at the end of a way that was judged
    // leads where nobody has looked.
    const int links = judged_ ? O_NOFOLLOW : 0;
    opened.file = unique_fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | links));
    const int number = errno;
    if (!opened.file && number == ELOOP && links != 0) {
      judged_.reset();
      continue;
    }
    if (!opened.file) return {{}, false, not_opened(path, number)};
    result<void> trusted = judge(opened.file, path, policy, watched);
    opened.replaced = !trusted && trusted.error().reason() == replaced_meanwhile;
    if (!trusted && !opened.replaced) return {{}, false, setback{setback_kind::refused_elsewhere, trusted.error()}};
  }
  return opened;
}

}  // namespace autoreload
