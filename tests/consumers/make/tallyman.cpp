// SPDX-License-Identifier: MIT
// tallyman: counts with the first two versions of a library, without any thread, waiting in poll(2).
#include <poll.h>

#include <array>
#include <autoreload/autoreload.hpp>
#include <cstdio>

#include "tally.h"

namespace {

struct tally_api {
  autoreload::required<::tally> tally;
  autoreload::optional<::tally_name> name;
};

}  // namespace

int main(int count, char** words) {
  if (count != 2) return 2;
  autoreload::options options;
  options.drive = autoreload::drive_mode::manual;
  autoreload::reloadable<tally_api> library(words[1], options);
  std::uint64_t seen = 0;
  while (seen < 2) {
    if (library.generation() > seen) {
      seen = library.generation();
      const auto pin = library.pin();
      const std::array<long, 3> numbers{2, 3, 7};
      std::printf("%s %ld\n", pin->name ? *pin->name : "nameless", pin->tally(numbers.data(), 3));
      std::fflush(stdout);
    } else {
      pollfd news{library.descriptor(), POLLIN, 0};
      if (poll(&news, 1, 60'000) != 1) return 1;
      library.poll();
    }
  }
}
