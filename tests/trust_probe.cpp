// SPDX-License-Identifier: MIT
// trust_probe: a program of its own owner and mode, for trust_test to install: prints whether it would load a library.
//
// trust_probe LIBRARY [allow]
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <string_view>

#include "reload/trust/trust.hpp"

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  autoreload::trust_policy policy;
  policy.allow_set_user_id = argc > 2 && std::string_view(argv[2]) == "allow";
  const int file = ::open(argv[1], O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  const auto trusted = autoreload::check_trust(file, argv[1], policy);
  std::puts(trusted ? "trusted" : trusted.error().reason().c_str());
  return 0;
}
