// SPDX-License-Identifier: MIT
// edit_list: the edits of edits.txt as the test sees them; the list itself is generated.
#pragma once

#include <string>
#include <vector>

namespace autoreload_test {

struct edit {
  const char* name;
  bool back;           // also from the new version to the old one
  const char* source;  // both versions: tells whose a remark is
  std::vector<std::string> says;
  std::vector<std::string> back_says;
};

const std::vector<edit>& edits();

}  // namespace autoreload_test
