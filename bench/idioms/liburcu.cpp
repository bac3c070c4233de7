// SPDX-License-Identifier: MIT
// liburcu: userspace RCU, a read section around each call.
//
// SHARED  the version's pointer: exchanged by the replacing thread, which then waits for a grace period and closes the
//         old version; read by callers inside read sections.
#include <memory>

#include "builds.hpp"
#include "idiom.hpp"
#include "liburcu_read_sections.h"

namespace bench {
namespace {

struct version : rcu_build {
  explicit version(std::size_t number) : rcu_build{nullptr}, build(number) { step = build.step; }
  loaded_build build;
};

template <const rcu_flavour& Flavour>
class read_sections final : public idiom {
 public:
  ~read_sections() override { delete static_cast<version*>(current_); }
  void enter() override { Flavour.join(); }
  void leave() override { Flavour.part(); }
  std::int32_t run(int calls, std::int32_t x) override { return Flavour.run(&current_, calls, x); }
  void replace() override { delete static_cast<version*>(Flavour.replace(&current_, new version(++number_))); }

 private:
  std::size_t number_ = 0;
  rcu_build* current_ = new version(0);
};

}  // namespace

void add_liburcu(std::vector<idiom_kind>& to) {
  to.push_back({"liburcu_memb", "liburcu with membarrier: a read section around each call", idiom_kind::stormy,
                &make_idiom<read_sections<rcu_memb>>});
  to.push_back({"liburcu_bp", "liburcu, bulletproof flavour: a read section around each call", idiom_kind::stormy,
                &make_idiom<read_sections<rcu_bp>>});
  to.push_back({"liburcu_qsbr", "liburcu, quiescent states: one after each call", idiom_kind::stormy,
                &make_idiom<read_sections<rcu_qsbr>>});
}

}  // namespace bench
