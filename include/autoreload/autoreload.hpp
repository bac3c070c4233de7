// SPDX-License-Identifier: MIT
// autoreload: everything.
#pragma once

/// @namespace autoreload
/// Everything of this library; what is in a namespace `detail` may change at any time.
/// @namespace autoreload::raw
/// Plain dlfcn.
/// @namespace autoreload::raii
/// Owning objects.
/// @namespace autoreload::symbols
/// A struct that is filled whole.

#include <autoreload/backend.hpp>           // IWYU pragma: export
#include <autoreload/backends/raii.hpp>     // IWYU pragma: export
#include <autoreload/backends/raw.hpp>      // IWYU pragma: export
#include <autoreload/backends/symbols.hpp>  // IWYU pragma: export
#include <autoreload/crash_report.hpp>      // IWYU pragma: export
#include <autoreload/error.hpp>             // IWYU pragma: export
#include <autoreload/event.hpp>             // IWYU pragma: export
#include <autoreload/guard.hpp>             // IWYU pragma: export
#include <autoreload/options.hpp>           // IWYU pragma: export
#include <autoreload/pin.hpp>               // IWYU pragma: export
#include <autoreload/reloadable.hpp>        // IWYU pragma: export
#include <autoreload/symbol.hpp>            // IWYU pragma: export
#include <autoreload/trial.hpp>             // IWYU pragma: export
#include <autoreload/trust.hpp>             // IWYU pragma: export
