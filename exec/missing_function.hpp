// SPDX-License-Identifier: MIT
// missing_function: the end of a program that calls what the newest build lacks.
#pragma once

/// Where a notice stub jumps to, with its registers: see standin_format.hpp. Says which function is gone, and ends the
/// program.
extern "C" void autoreload_exec_notice();
