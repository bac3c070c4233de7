// SPDX-License-Identifier: MIT
// idiom: the list of them.
#include "idiom.hpp"

namespace bench {

#ifndef BENCH_HAS_LIBURCU
void add_liburcu(std::vector<idiom_kind>&) {}
#endif

std::vector<idiom_kind> all_idioms() {
  std::vector<idiom_kind> all;
  add_linked(all);
  add_linked_no_plt(all);
  add_loaders(all);
  add_reloadable(all);
  add_guards(all);
  add_liburcu(all);
  return all;
}

}  // namespace bench
