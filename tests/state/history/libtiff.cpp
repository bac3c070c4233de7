// SPDX-License-Identifier: MIT
// libtiff: its functions are declared here as far as they are used, so that its headers need not be there.
#include <cstdarg>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <vector>

#include <unistd.h>

#include "remembering.hpp"

extern "C" {
struct tiff;  // NOLINT: as the library calls it
using tiff_handler = void (*)(const char* module, const char* format, va_list arguments);
using tiff_extender = void (*)(struct tiff* file);
using tiff_init = int (*)(struct tiff* file, int scheme);
struct tiff_codec {
  char* name;
  std::uint16_t scheme;
  tiff_init init;
};
tiff_codec* TIFFRegisterCODEC(std::uint16_t scheme, const char* name, tiff_init init);
const tiff_codec* TIFFFindCODEC(std::uint16_t scheme);
int TIFFIsCODECConfigured(std::uint16_t scheme);
tiff_handler TIFFSetErrorHandler(tiff_handler handler);
tiff_handler TIFFSetWarningHandler(tiff_handler handler);
tiff_extender TIFFSetTagExtender(tiff_extender extender);
struct tiff* TIFFOpen(const char* name, const char* mode);
void TIFFClose(struct tiff* file);
int TIFFSetField(struct tiff* file, std::uint32_t tag, ...);
int TIFFGetField(struct tiff* file, std::uint32_t tag, ...);
long TIFFWriteEncodedStrip(struct tiff* file, std::uint32_t strip, void* data, long size);
long TIFFReadEncodedStrip(struct tiff* file, std::uint32_t strip, void* data, long size);
}

namespace autoreload_test {

namespace {

struct tiff_api {
  autoreload::required<::TIFFRegisterCODEC> register_codec;
  autoreload::required<::TIFFFindCODEC> find_codec;
  autoreload::required<::TIFFIsCODECConfigured> is_configured;
  autoreload::required<::TIFFSetErrorHandler> on_error;
  autoreload::required<::TIFFSetWarningHandler> on_warning;
  autoreload::required<::TIFFSetTagExtender> extend_tags;
  autoreload::required<::TIFFOpen> open;
  autoreload::required<::TIFFClose> close;
  autoreload::required<::TIFFSetField> set;
  autoreload::required<::TIFFGetField> get;
  autoreload::required<::TIFFWriteEncodedStrip> write;
  autoreload::required<::TIFFReadEncodedStrip> read;
};

int errors = 0;
int extended = 0;
void count_error(const char*, const char*, va_list) { ++errors; }
void ignore_warning(const char*, const char*, va_list) {}
void count_extended(tiff*) { ++extended; }
int init_codec(tiff*, int) { return 1; }

constexpr std::uint32_t width = 256, height = 257, bits = 258, compression = 259, photometric = 262;
constexpr int lzw = 5;

class tiff_library final : public remembering_by<tiff_api> {
 public:
  tiff_library() : picture_("/tmp/autoreload-history-" + std::to_string(getpid()) + ".tif") {}
  ~tiff_library() override { std::filesystem::remove(picture_); }

  void remember(int step) override {
    if (step == 0) {
      lib()->on_error(count_error);
      lib()->on_warning(ignore_warning);
      lib()->extend_tags(count_extended);
    }
    lib()->register_codec(scheme(step), name(step).c_str(), init_codec);
  }

  std::string forgotten(int step) override {
    for (int i = 0; i <= step; ++i) {
      const tiff_codec* const found = lib()->find_codec(scheme(i));
      if (found == nullptr || name(i) != found->name || found->init != init_codec) return "the codec " + name(i);
      if (lib()->is_configured(scheme(i)) != 1) return "that the codec " + name(i) + " is there";
    }
    const int before = errors;
    if (lib()->open("/nonexistent/picture.tif", "r") != nullptr || errors != before + 1)
      return "the function for errors";
    const int known = extended;
    if (!draws_and_reads(step)) return "how to write a picture and read it";
    if (extended == known) return "the function for tags";
    return {};
  }

 private:
  static std::uint16_t scheme(int step) { return static_cast<std::uint16_t>(40000 + step); }
  static std::string name(int step) { return "codec " + std::to_string(step); }

  bool draws_and_reads(int step) {
    std::vector<unsigned char> pixels(64 * 64, static_cast<unsigned char>(step + 1));
    tiff* const out = lib()->open(picture_.c_str(), "w");
    if (out == nullptr) return false;
    for (const auto& [tag, value] :
         {std::pair{width, 64}, {height, 64}, {bits, 8}, {compression, lzw}, {photometric, 1}}) {
      lib()->set(out, tag, value);
    }
    const bool written = lib()->write(out, 0, pixels.data(), static_cast<long>(pixels.size())) > 0;
    lib()->close(out);
    tiff* const in = lib()->open(picture_.c_str(), "r");
    if (!written || in == nullptr) return false;
    std::uint32_t columns = 0;
    lib()->get(in, width, &columns);
    std::vector<unsigned char> back(pixels.size());
    lib()->read(in, 0, back.data(), static_cast<long>(back.size()));
    lib()->close(in);
    return columns == 64 && back == pixels;
  }

  std::string picture_;
};

}  // namespace

std::unique_ptr<remembering> libtiff() { return std::make_unique<tiff_library>(); }

}  // namespace autoreload_test
