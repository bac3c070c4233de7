// SPDX-License-Identifier: MIT
// rebuilding: has the library built when one of its sources is saved.
#pragma once

#include <memory>
#include <string>

/// What it has to say goes to standard error. @return what to keep for as long as it shall go on
/// @throws autoreload::error when this demo was built without the rebuilder
[[nodiscard]] std::shared_ptr<void> rebuild_on_save(const std::string& library);
