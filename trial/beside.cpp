// SPDX-License-Identifier: MIT
// beside: the thread of a trial load.
#include "trial/beside.hpp"

#include <sys/eventfd.h>

#include <cerrno>
#include <new>
#include <system_error>
#include <utility>

#include "system/aside.hpp"

namespace autoreload {

trial_beside::trial_beside(int snapshot, const std::string& path, trial_options how, std::function<void()> ended)
    : cancel_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      answer_{setback{setback_kind::shortage, error(stage::trial, path, "no memory for a trial load")}, {}} {
  if (!cancel_) throw std::system_error(errno, std::generic_category());
  how.cancel = cancel_.get();
  const undisturbed no_signals;  // the thread inherits that: the host's handlers are not to run on it
  thread_ = std::thread([this, snapshot, path, how = std::move(how), ended = std::move(ended)] {
    try {
      answer_ = trial_load(snapshot, path, how);
    } catch (const std::bad_alloc&) {  // then the answer is what was prepared for that
    }
    if (progress_.exchange(progress::ended, std::memory_order_acq_rel) == progress::awaited) ended();
  });
}

trial_beside::~trial_beside() {
  const bool runs = progress_.load(std::memory_order_relaxed) != progress::ended;
  if (runs && cancel_.still_ours()) eventfd_write(cancel_.get(), 1);
  thread_.join();
}

}  // namespace autoreload
