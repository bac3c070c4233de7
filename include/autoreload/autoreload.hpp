// SPDX-License-Identifier: MIT
// autoreload: everything.
#pragma once

/// @namespace autoreload
/// Everything of this library; what is in a namespace `detail` may change at any time.

#include <autoreload/backend.hpp>         // IWYU pragma: export
#include <autoreload/backends.hpp>        // IWYU pragma: export
#include <autoreload/call_sample.hpp>     // IWYU pragma: export
#include <autoreload/crash_report.hpp>    // IWYU pragma: export
#include <autoreload/error.hpp>           // IWYU pragma: export
#include <autoreload/event.hpp>           // IWYU pragma: export
#include <autoreload/frame_pin.hpp>       // IWYU pragma: export
#include <autoreload/guard.hpp>           // IWYU pragma: export
#include <autoreload/handover.hpp>        // IWYU pragma: export
#include <autoreload/library_module.hpp>  // IWYU pragma: export
#include <autoreload/options.hpp>         // IWYU pragma: export
#include <autoreload/pin.hpp>             // IWYU pragma: export
#include <autoreload/reloadable.hpp>      // IWYU pragma: export
#include <autoreload/state.hpp>           // IWYU pragma: export
#include <autoreload/symbol.hpp>          // IWYU pragma: export
#include <autoreload/trial.hpp>           // IWYU pragma: export
#include <autoreload/trust.hpp>           // IWYU pragma: export
