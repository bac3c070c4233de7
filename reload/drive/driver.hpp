// SPDX-License-Identifier: MIT
// driver: the seam between an engine and whoever calls its step(): a thread of ours, or the host by poll().
#pragma once

#include <memory>
#include <string>

#include <autoreload/options.hpp>

#include "reload/watch/change_source.hpp"

namespace autoreload {

namespace detail {
class engine_core;
}  // namespace detail

/// wake(), ring() and descriptor(): any thread; the others: the thread that works on the engine.
class driver {
 public:
  virtual ~driver() = default;
  /// What inotify's watches of this driver's engines share.
  [[nodiscard]] virtual result<std::shared_ptr<watch_hub>> hub(const std::string& path) = 0;
  /// From now on this engine's step() is called when it is due, under the calling thread's signal mask.
  virtual void add(const std::shared_ptr<detail::engine_core>&) {}
  virtual void remove(const detail::engine_core*) {}
  /// Something changed that a thread of the driver's own has to know, if it has one.
  virtual void wake() noexcept {}
  /// A look was asked for by a thread that must not wait for it.
  virtual void ring() noexcept = 0;
  /// Manual drive: when the engine is next worth a call.
  virtual void set(time_point) {}
  /// Manual drive: gets in what happened. @return whether the caller, who is in poll(), has to call step()
  [[nodiscard]] virtual bool collect(change_source&) { return false; }
  /// A descriptor that is readable when poll() has something to do, or -1.
  [[nodiscard]] virtual int descriptor() { return -1; }
};

/// @throws error of stage use when there is no thread or descriptor for it
[[nodiscard]] std::shared_ptr<driver> make_driver(drive_mode mode);

}  // namespace autoreload
