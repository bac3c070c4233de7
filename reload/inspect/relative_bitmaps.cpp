// SPDX-License-Identifier: MIT
// inspect_relative_bitmaps: the relative relocations in their packed form, DT_RELR.
#include "reload/inspect/written.hpp"

namespace autoreload::inspecting {
namespace {

class relative_bitmaps {
 public:
  explicit relative_bitmaps(written_words& words) : words_(words), lib_(words.lib()) {}

  [[nodiscard]] outcome are_sound() {
    const auto words = lib_.table_at<Elf64_Relr>(lib_.dynamic[DT_RELR], lib_.dynamic[DT_RELRSZ] / sizeof(Elf64_Relr));
    if (!words) {
      return damaged("the relative relocations of DT_RELR, " + grouped(lib_.dynamic[DT_RELRSZ]) + " bytes at " +
                     hex(lib_.dynamic[DT_RELR]) + ", are not in a segment");
    }
    std::uint64_t next = 0;  // the word after the last one that was relocated: nothing may be relocated twice
    std::uint64_t at = 0;
    for (std::size_t i = 0; i != words->size(); ++i) {
      const std::uint64_t word = (*words)[i];
      if ((word & 1) == 0) {  // an address
        if (word < next || word == 0) return damaged("word " + grouped(i) + " of DT_RELR is out of order");
        if (auto no = target_is_sound(word)) return no;
        next = at = word + 8;
      } else {  // a bit for each of the next 63 words
        if (at == 0) return damaged("DT_RELR does not begin with an address");
        std::uint64_t target = at;
        for (std::uint64_t bits = word >> 1; bits != 0; bits >>= 1, target += 8) {
          if ((bits & 1) == 0) continue;
          if (auto no = target_is_sound(target)) return no;
          next = target + 8;
        }
        at += 63 * 8;
      }
    }
    return passed;
  }

 private:
  // The loader adds the load base to what stands there.
  [[nodiscard]] outcome target_is_sound(std::uint64_t target) {
    const auto content = lib_.record_at<std::uint64_t>(target);
    if (!content || !words_.writable(target, 8) || words_.hits_dynamic_section(target, 8)) {
      return damaged("DT_RELR relocates address " + hex(target) + ", outside of the writable segments");
    }
    if (*content > words_.end()) {
      return damaged("DT_RELR relocates address " + hex(target) + ", which holds " + hex(*content) +
                     ", outside of the library");
    }
    // One pointer to the library's first byte may be meant; two in a row were not written yet.
    if (*content == 0 && last_content_ == 0) {
      if (auto no = perhaps_unfinished(lib_, "the pointers up to " + hex(target) + " are still zeros")) return no;
    }
    last_content_ = *content;
    return words_.array_entry_is_sound(target, *content);
  }

  written_words& words_;
  image& lib_;
  std::uint64_t last_content_ = 1;  // of the word that was relocated last
};

}  // namespace

outcome relative_bitmaps_are_sound(written_words& words) { return relative_bitmaps(words).are_sound(); }

}  // namespace autoreload::inspecting
