// SPDX-License-Identifier: MIT
// backends: the list of all loader backends. The build and the tests take it from here.
#pragma once

#include <autoreload/backends/raii.hpp>     // IWYU pragma: export
#include <autoreload/backends/raw.hpp>      // IWYU pragma: export
#include <autoreload/backends/symbols.hpp>  // IWYU pragma: export
