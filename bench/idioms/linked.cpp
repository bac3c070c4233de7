// SPDX-License-Identifier: MIT
// linked: calls that the linkers resolve. Compiled twice: a call through the PLT or around it is the compiler's choice
// for a whole file (-fplt, -fno-plt).
#include "bystander.hpp"
#include "callee.h"

extern "C" std::int32_t local_step(std::int32_t x);

namespace bench {
namespace {

#ifdef LINKED_NO_PLT
class no_plt final : public beside_reloads<no_plt> {
 public:
  static std::int32_t call(std::int32_t x) { return callee_step(x); }
};
#else
class direct final : public beside_reloads<direct> {
 public:
  static std::int32_t call(std::int32_t x) { return local_step(x); }
};

class plt final : public beside_reloads<plt> {
 public:
  static std::int32_t call(std::int32_t x) { return callee_step(x); }
};
#endif

}  // namespace

#ifdef LINKED_NO_PLT
void add_linked_no_plt(std::vector<idiom_kind>& to) {
  to.push_back({"no_plt", "a function of a linked shared library, compiled with -fno-plt", idiom_kind::calm,
                &make_idiom<no_plt>});
}
#else
void add_linked(std::vector<idiom_kind>& to) {
  to.push_back({"direct", "a function of the program, not inlined", idiom_kind::calm, &make_idiom<direct>});
  to.push_back({"plt", "a function of a linked shared library, through the PLT", idiom_kind::calm, &make_idiom<plt>});
}
#endif

}  // namespace bench
