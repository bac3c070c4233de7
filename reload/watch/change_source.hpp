// SPDX-License-Identifier: MIT
// change_source: the seam between the engine and whatever notices that a file may have changed.
//
// Another mechanism is another implementation, in a file of its own, that make_change_source() chooses.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <autoreload/options.hpp>

#include "reload/memory.hpp"
#include "reload/watch/watch.hpp"

namespace autoreload {

/// What is warned of when drain() had to make anything anew, or `lost` was said.
inline constexpr const char* descriptors_closed =
    "somebody closed descriptors of this library behind its back (closefrom, close_range, a loop over all numbers): "
    "they were made again; with drive_mode::manual ask for descriptor() again";

/// Says when the file is worth a look. pending(), mode() and due(): any thread; the others: the thread that works.
class change_source {
 public:
  virtual ~change_source() = default;
  /// Watches what leads to the library and to these dependencies now. Call it before the first look, and after each: it
  /// does nothing unless a name on the way may lead elsewhere, or the dependencies are others.
  /// @return whether anything is watched now that was not before: then look again;
  ///         or an error of stage watch when a change could remain unseen
  [[nodiscard]] virtual result<bool> arm(const std::vector<std::string>& needed) = 0;
  /// Whether something may have happened since the last call. @param known  what the last look came to
  [[nodiscard]] virtual bool take(time_point now, const memory& known) = 0;
  /// Whether take() is worth a call before due().
  [[nodiscard]] virtual bool pending() const noexcept { return false; }
  /// When take() is worth a call in any case.
  [[nodiscard]] virtual time_point due() const noexcept { return never; }
  /// Manual drive: gets the events in, so that pending() knows. Makes anew what somebody has closed behind us.
  /// @param lost  something else of ours was: say so
  /// @return whether it had to: then readable() has to be added to the event loop's descriptor again
  [[nodiscard]] virtual bool drain([[maybe_unused]] bool lost) { return false; }
  /// A descriptor that is readable when drain() has something to do, or -1.
  [[nodiscard]] virtual int readable() const { return -1; }
  /// A number that is another one once a directory or link on the way leads elsewhere, or once its owner, mode or
  /// access list is another. The library's own name is no part of the way.
  /// @return nothing when such a change could remain unseen, or there are events that nobody has read yet
  [[nodiscard]] virtual std::optional<std::uint64_t> way() { return std::nullopt; }
  /// The file is on another file system than before: something may have been mounted on the way, which no event tells
  /// of. The next arm() resolves the way anew.
  virtual void doubt_way() {}
  /// How it watches at the moment.
  [[nodiscard]] virtual watch_mode mode() const noexcept = 0;
  /// Watches nothing from now on.
  virtual void stop() noexcept {}
};

/// What a source is made for.
struct watch_order {
  std::string file;  ///< from the root
  watch_mode mode = watch_mode::automatic;
  std::chrono::milliseconds interval{1000};                 ///< between two looks of polling
  std::function<result<std::shared_ptr<watch_hub>>()> hub;  ///< asked for if inotify is to be used
  std::function<void(const std::string&)> warn;  ///< told when it has to watch in another way than it was asked to
};

/// Inotify, polling, or inotify with polling while that fails, as the mode and the file system ask for.
[[nodiscard]] std::unique_ptr<change_source> make_change_source(watch_order wanted);

/// Works everywhere.
[[nodiscard]] std::unique_ptr<change_source> make_polling(const watch_order& wanted);

/// A better source; and polling as long as that one can't be armed, which is tried again at each look of polling's.
[[nodiscard]] std::unique_ptr<change_source> or_polling(watch_order wanted, std::unique_ptr<change_source> better);

/// What a warning says: by which way it is watched, and instead of which.
[[nodiscard]] std::string polls_instead(const watch_order& wanted, watch_mode of);

}  // namespace autoreload
