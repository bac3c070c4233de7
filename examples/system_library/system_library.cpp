// SPDX-License-Identifier: MIT
// system_library: libraries that nobody wrote for a reload, by API structs made from their own headers. The program is
// not linked with them; when the system upgrades one, it goes on with the new one.
#include <zlib.h>

#include <array>
#include <autoreload/autoreload.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <string>

namespace {

struct zlib_api {
  autoreload::required<::zlibVersion> version;
  autoreload::required<::compressBound> bound;
  autoreload::required<::compress2> compress;
  autoreload::required<::uncompress> uncompress;
  autoreload::optional<::crc32_combine> crc32_combine;
};

// C++ overloads the names of libm (float, double, long double), so `::cbrt` names no one function: spell name and type.
struct math_api {
  autoreload::required_as<"cbrt", double(double)> cbrt;
  autoreload::optional_as<"exp10", double(double)> exp10;  // not in every libm
};

using zlib = autoreload::reloadable<zlib_api>;
using math = autoreload::reloadable<math_api>;

volatile std::sig_atomic_t running = 1;
void stop(int) { running = 0; }

// There and back by one version of zlib.
void try_zlib(const zlib& library) {
  const auto pin = library.pin();
  const std::string text(1000, 'a');
  const auto* const bytes = reinterpret_cast<const Bytef*>(text.data());
  std::string packed(pin->bound(text.size()), '\0');
  uLongf size = packed.size();
  std::string unpacked(text.size(), '\0');
  uLongf back = unpacked.size();
  const bool same = pin->compress(reinterpret_cast<Bytef*>(packed.data()), &size, bytes, text.size(), 9) == Z_OK &&
                    pin->uncompress(reinterpret_cast<Bytef*>(unpacked.data()), &back,
                                    reinterpret_cast<const Bytef*>(packed.data()), size) == Z_OK &&
                    unpacked == text;
  std::printf("zlib %s: 1000 bytes packed into %lu, %s\n", pin->version(), size, same ? "and back" : "BUT NOT BACK");
}

void try_math(const math& library) {
  const auto pin = library.pin();
  std::printf("libm: cbrt(27) = %g, exp10(2) = %s\n", pin->cbrt(27),
              pin->exp10 ? std::to_string(pin->exp10(2)).c_str() : "not there");
}

}  // namespace

int main(int count, char** words) {
  if (count != 3) {
    std::fprintf(stderr, "usage: %s LIBZ.SO LIBM.SO, for example /usr/lib/x86_64-linux-gnu/libz.so.1\n", words[0]);
    return 2;
  }
  std::signal(SIGINT, stop);
  std::signal(SIGTERM, stop);
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);

  autoreload::event_queue news;
  autoreload::options options;
  options.observer = news.observer();
  const zlib packer(words[1], options);
  const math numbers(words[2], options);
  while (running != 0) {
    const auto happened = news.next(std::chrono::milliseconds(100));
    if (!happened) continue;
    std::fprintf(stderr, "%s\n", to_string(*happened).c_str());
    if (happened->kind != autoreload::event_kind::loaded) continue;
    happened->path == packer.path() ? try_zlib(packer) : try_math(numbers);
  }
}
