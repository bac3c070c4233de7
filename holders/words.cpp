// SPDX-License-Identifier: MIT
// words: says who a holder is, for a person.
#include "holders/words.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>

#include "holders/mappings.hpp"
#include "system/own_memory.hpp"
#include "system/signal_name.hpp"
#include "system/thread_files.hpp"

namespace autoreload::holding {
namespace {

// Whether a call stands before an address, as before every one that something returns to.
bool follows_a_call(std::uintptr_t address) {
#if defined(__x86_64__)
  std::array<unsigned char, 7> code{};
  if (copy_memory(address - code.size(), code.data(), code.size()) != code.size()) return false;
  const auto at = [&](std::size_t back) { return code[code.size() - back]; };
  const auto by_register = [&](std::size_t back, unsigned mode) {  // FF /2, with this addressing mode
    return at(back) == 0xff && (at(back - 1) & 0xf8U) == (mode << 6 | 0x10U);
  };
  return at(5) == 0xe8 || by_register(2, 3) || by_register(2, 0) || by_register(3, 0) || by_register(3, 1) ||
         by_register(4, 1) || by_register(6, 0) || by_register(6, 2) || by_register(7, 2);
#elif defined(__aarch64__)
  std::uint32_t code = 0;
  if (copy_memory(address - 4, &code, sizeof code) != sizeof code) return false;
  return (code & 0xfc000000U) == 0x94000000U || (code & 0xfffffc1fU) == 0xd63f0000U;  // BL, BLR
#else
  (void)address;
  return false;
#endif
}

enum class rank : std::uint8_t { points, returns, runs };

std::string name_of_signal(int number) {
  if (const char* const name = signal_name(number); name != nullptr) return name;
  switch (number) {
    case SIGCHLD: return "SIGCHLD";
    case SIGCONT: return "SIGCONT";
    case SIGIO: return "SIGIO";
    case SIGPROF: return "SIGPROF";
    case SIGVTALRM: return "SIGVTALRM";
    case SIGWINCH: return "SIGWINCH";
    default: return "signal " + std::to_string(number);
  }
}

rank rank_of(const naming& names, const word_found& word) {
  if (!word.code || word.hidden) return rank::points;
  if (word.at == program_counter_register * sizeof(std::uint64_t)) return rank::runs;
  return follows_a_call(names.image.base + word.offset) ? rank::returns : rank::points;
}

}  // namespace

const thread_block* naming::block_at(std::uintptr_t address) const noexcept {
  const auto found = std::find_if(blocks.begin(), blocks.end(), [&](const thread_block& one) {
    return address >= one.where.begin && address < one.where.end;
  });
  return found == blocks.end() ? nullptr : &*found;
}

std::string place_in_words(const naming& names, std::uint64_t offset, bool code) {
  std::string symbol = symbol_at(names.file, offset, code ? symbol_kind::function : symbol_kind::variable);
  if (!symbol.empty()) return symbol;
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), "%s at 0x%llx", code ? "its code" : "its data",
                static_cast<unsigned long long>(offset));
  return text.data();
}

std::vector<holder> threads_in_words(const naming& names, const thread_findings& found) {
  struct best {
    rank is{};
    word_found word;
  };
  std::map<pid_t, best> of_each;
  for (const found_in_thread& one : found.words) {
    const rank is = rank_of(names, one.word);
    const auto [known, fresh] = of_each.try_emplace(one.thread, best{is, one.word});
    if (!fresh && is > known->second.is) known->second = {is, one.word};
  }
  std::vector<holder> all;
  for (const auto& [thread, one] : of_each) {
    const bool in_register = one.word.at < end_of_registers;
    holder made{one.is == rank::points ? holder_kind::stack : holder_kind::thread, words_of_thread(thread),
                in_register ? 0 : one.word.at, one.word.offset, thread};
    // The instruction behind a call may be another function's first.
    const std::uint64_t inside = one.is == rank::returns ? one.word.offset - 1 : one.word.offset;
    const std::string place = place_in_words(names, inside, one.word.code);
    if (const thread_block* const block = names.block_at(one.word.at); block != nullptr) {
      made.kind = holder_kind::thread_local_;
      made.text = thread_variable_in_words(*block, one.word.at) + " leads to " + place;
      all.push_back(std::move(made));
      continue;
    }
    switch (one.is) {
      case rank::runs: made.text += " runs in " + place; break;
      case rank::returns: made.text += " returns into " + place; break;
      case rank::points:
        made.text += (in_register ? " has a pointer in a register to " : " has a pointer on its stack to ") + place;
        if (one.word.hidden) made.text += ", hidden as setjmp() does";
        break;
    }
    all.push_back(std::move(made));
  }
  return all;
}

std::vector<holder> signal_handlers(const naming& names) {
  const target what(names.image);
  std::vector<holder> all;
  for (int number = 1; number < NSIG; ++number) {
    struct sigaction now {};
    if (sigaction(number, nullptr, &now) != 0) continue;
    const auto handler = (now.sa_flags & SA_SIGINFO) != 0 ? reinterpret_cast<std::uintptr_t>(now.sa_sigaction)
                                                          : reinterpret_cast<std::uintptr_t>(now.sa_handler);
    if (what.leads_to(handler) == leads::nowhere) continue;
    const std::uint64_t offset = handler - names.image.base;
    all.push_back({holder_kind::signal_handler,
                   "the handler of " + name_of_signal(number) + " is " + place_in_words(names, offset, true), 0, offset,
                   0});
  }
  return all;
}

}  // namespace autoreload::holding
