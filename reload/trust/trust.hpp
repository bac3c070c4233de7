// SPDX-License-Identifier: MIT
// trust: applies a trust_policy to an opened library.
#pragma once

#include <string>
#include <string_view>

#include <autoreload/error.hpp>
#include <autoreload/trust.hpp>

namespace autoreload {

/// The reason of the one refusal that is no verdict: between open and check, the path came to lead to another file. The
/// event for that other file is on its way; wait for it quietly.
inline constexpr std::string_view replaced_meanwhile = "it was replaced while it was being opened";

/// Whether the opened library may be loaded.
///
/// @param file  the library, opened by the caller with O_RDONLY | O_NONBLOCK | O_CLOEXEC and not read yet
/// @param path  the path that it was opened by; only the directories on its way are looked at, nothing is opened
/// @return an error of stage snapshot whose reason names the rule and whose advice names the option that changes it
/// Thread-safety: any thread; a relative path needs a working directory that does not change meanwhile.
[[nodiscard]] result<void> check_trust(int file, const std::string& path, const trust_policy& policy);

}  // namespace autoreload
