// SPDX-License-Identifier: MIT
// memory_holders: leaves out what is no holder's, goes through the rest, and names what was found.
#include "holders/memory_holders.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "holders/asleep.hpp"
#include "holders/heap.hpp"
#include "holders/loaders_words.hpp"
#include "holders/mappings.hpp"
#include "holders/memory.hpp"
#include "holders/own_heap.hpp"
#include "holders/thread_data.hpp"
#include "system/own_memory.hpp"

namespace autoreload::holding {
namespace {

constexpr std::size_t most_words = 4096;

bool has_guard(const mapping_list& all, const mapping& one) {
  const mapping* const before = one.where.begin == 0 ? nullptr : find_mapping(all, one.where.begin - 1);
  return one.name == "[stack]" || (before != nullptr && !before->readable && !before->writable);
}

// What was looked at on stacks, what nobody uses below their pointers, and stacks without a thread.
void leave_out_stacks(const mapping_list& all, const unseen_list<live_stack>& stacks, bool used_too, left_out& out) {
  for (const mapping& one : all) {
    if (!one.writable || one.shared) continue;
    std::uintptr_t lowest = 0;
    for (const live_stack& stack : stacks) {
      const std::uintptr_t pointer = stack.looked_at.begin;
      if (pointer < one.where.begin || pointer >= one.where.end) continue;
      if (used_too) out.add(stack.looked_at);
      lowest = lowest == 0 ? pointer : std::min(lowest, pointer);
    }
    const bool guarded = has_guard(all, one);
    if (lowest != 0 && guarded) out.add({one.where.begin, lowest});
    if (lowest == 0 && guarded && one.name.empty()) out.add({one.where.begin, end_of_idle_stack(one.where)});
  }
}

// Whether a word is characters: a short std::string holds its text in itself, and points to it. What is behind the
// text's end is what was there before, so text and the rest of an old pointer may look like a pointer. libstdc++'s
// layout: the pointer, the length, 16 bytes of text.
bool is_short_text(std::uintptr_t address) {
  constexpr std::size_t word = sizeof(std::uintptr_t);
  constexpr std::size_t room = 16;
  std::array<std::uintptr_t, 3> before{};
  const std::uintptr_t from = address - sizeof before;
  if (copy_memory(from, before.data(), sizeof before) != sizeof before) return false;
  const bool first = before[1] == address && before[2] < room;
  const bool second = before[0] == address - word && before[1] < room;
  return first || second;
}

// Whether a word is the end of a longer text, over what an old pointer left there: letters, the end, and 16 letters
// before it.
bool is_end_of_text(std::uintptr_t address) {
  std::array<unsigned char, 24> bytes{};
  constexpr std::size_t before = 16;
  if (copy_memory(address - before, bytes.data(), bytes.size()) != bytes.size()) return false;
  const auto is_letter = [](unsigned char one) { return one >= 0x20 && one < 0x7f; };
  const auto* const end = std::find_if_not(bytes.begin(), bytes.end(), is_letter);
  return end > bytes.begin() + before && end < bytes.end() - 2 && *end == '\0';
}

class search {
 public:
  search(const naming& names, const target& what, const thread_findings& threads)
      : names_(names), what_(what), threads_(threads), all_(read_mappings(what)) {}

  void run(const std::atomic<bool>* cancelled, holder_report& report) {
    words_.reserve(most_words);
    const left_out out = not_looked_at(true);
    const bool done = each_piece(all_, out, cancelled, [&](const memory_piece& piece) {
      scan_words(piece.words.data(), piece.words.size(), piece.at, what_, [&](const word_found& word) {
        words_.size() < most_words ? words_.push_back(word) : void(++report.more);
      });
    });
    if (!done) return;
    const loaders_words loaders(names_.image, names_.objects);
    std::erase_if(words_, [&](const word_found& word) {
      return loaders.has(word) || is_short_text(word.at) || is_end_of_text(word.at);
    });
    heap_blocks heap(all_);
    heap.find(words_);
    leave_out_own(heap, cancelled);
    std::erase_if(words_, [&](const word_found& word) {
      const heap_block* const block = heap.at(word.at);
      return block != nullptr && block->free;
    });
    for (const word_found& word : words_) {
      if (report.holders.size() < most_named) {
        report.holders.push_back(holder_at(word, heap));
      } else {
        ++report.more;  // to name one may take a look through a large file
      }
    }
  }

 private:
  // The library's own variables, those of each thread included.
  [[nodiscard]] std::vector<memory_range> variables() const {
    const std::uintptr_t low = what_.base + what_.low;
    std::vector<memory_range> own{{low, low + what_.span}};
    for (const thread_block& one : names_.blocks) {
      if (one.object->base == what_.base) own.push_back(one.where);
    }
    return own;
  }

  // @param stacks  what is in use of the threads' stacks as well: that was looked at already
  [[nodiscard]] left_out not_looked_at(bool stacks) const {
    left_out out;
    for (const memory_range& one : variables()) out.add(one);
    for (const memory_range& one : names_.image.ours) out.add(one);
    out.add(stack_of_this_thread());
    leave_out_stacks(all_, threads_.stacks, stacks, out);
    out.sort();
    return out;
  }

  // Blocks to which nobody leads but the library.
  void leave_out_own(const heap_blocks& heap, const std::atomic<bool>* cancelled) {
    const auto in_heap = [&](const word_found& word) {
      const heap_block* const block = heap.at(word.at);
      return block != nullptr && !block->free;
    };
    if (std::none_of(words_.begin(), words_.end(), in_heap)) return;
    own_heap own(all_, heap);
    if (!own.follow(variables(), cancelled)) return;
    if (std::none_of(words_.begin(), words_.end(), [&](const word_found& word) { return own.has(word.at); })) return;
    left_out out = not_looked_at(false);
    own.leave_out_blocks(out);
    out.sort();
    const bool done = each_piece(all_, out, cancelled,
                                 [&](const memory_piece& piece) { own.look_for_others(piece.words, piece.at); });
    if (!done) return;
    own.look_for_others(threads_.registers, 0);
    own.follow_others();
    std::erase_if(words_, [&](const word_found& word) { return own.is_own(word.at); });
  }

  holder holder_at(const word_found& word, const heap_blocks& heap) const {
    holder made{holder_kind::memory, {}, word.at, word.offset, 0};
    const std::string place = place_in_words(names_, word.offset, word.code);
    const std::string leads =
        word.hidden ? " leads to " + place + ", hidden as setjmp() and atexit() do" : " leads to " + place;
    if (const thread_block* const thread = names_.block_at(word.at); thread != nullptr) {
      made.kind = holder_kind::thread_local_;
      made.thread = thread->thread;
      made.text = thread_variable_in_words(*thread, word.at) + leads;
      return made;
    }
    if (const loaded_object* const object = find_object(names_.objects, word.at); object != nullptr) {
      made.kind = holder_kind::variable;
      made.text = variable_in_words(*object, word.at) + leads;
      return made;
    }
    if (const heap_block* const block = heap.at(word.at); block != nullptr) {
      made.kind = holder_kind::heap;
      made.text = block_in_words(*block, word.at) + leads;
      return made;
    }
    std::array<char, 40> text;
    std::snprintf(text.data(), text.size(), "memory at 0x%llx", static_cast<unsigned long long>(word.at));
    made.text = text.data() + leads;
    return made;
  }

  const naming& names_;
  const target& what_;
  const thread_findings& threads_;
  mapping_list all_;
  unseen_list<word_found> words_;
};

}  // namespace

void memory_holders(const naming& names, const target& what, const thread_findings& threads,
                    const std::atomic<bool>* cancelled, holder_report& report) {
  search(names, what, threads).run(cancelled, report);
}

}  // namespace autoreload::holding
