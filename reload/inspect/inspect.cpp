// SPDX-License-Identifier: MIT
// inspect: the list of passes, and the answer.
#include "reload/inspect/inspect.hpp"

#include "reload/inspect/passes.hpp"

namespace autoreload {
namespace inspecting {
namespace {

// In this order: each pass relies on what the ones before it have proved.
constexpr outcome (*passes[])(image&) = {
    is_elf_for_this_machine,          // tells a file that nobody has written yet from one that is something else
    is_a_shared_library,              // objects, programs and core dumps are ELF too
    header_tables_are_in_the_file,    // before anything is read through them; a truncated file ends here
    sections_are_in_the_file,         // the loader ignores sections, but a linker at work has not written them
    segments_can_be_mapped,           // from here on, addresses can be turned into bytes of the file
    stack_stays_as_it_is,             // one library would make the whole process's stack executable
    program_headers_agree,            // the loader believes each of them without a look at the segments
    sections_agree_with_segments,     // two descriptions of one layout: damage to either makes them differ
    notes_are_whole,                  // the loader walks them; the build-id is the last thing some linkers write
    unwind_table_is_whole,            // where each function starts and ends; code can't be checked, but zeros are none
    dynamic_section_is_whole,         // the loader walks it until its end mark, wherever that is
    may_be_loaded,                    // libraries that dlopen refuses, or that would change their own code
    dynamic_entries_belong_together,  // the loader asserts these, which would end the process
    dynamic_strings_are_whole,        // names come before symbols and versions, which point into them
    sections_agree_with_dynamic,      // again two descriptions of one thing
    hash_table_is_walkable,           // tells how many symbols there are, which nothing else does
    symbols_are_inside,               // every address that dlsym can answer is in the library
    names_can_be_found,               // and is answered for the right name
    versions_are_whole,               // the loader indexes an array with them
    relocations_are_sound,            // everything that the loader writes, and every function that it calls
    digest_agrees,                    // the only one that looks into code, where whoever built it made that possible
};

std::vector<std::string> what_makes_reloading_hard(const elf_facts& facts) {
  std::vector<std::string> warnings;
  if (facts.no_delete) {
    warnings.emplace_back(
        "it asks never to be unloaded, so every version of it stays in memory: link it without -Wl,-z,nodelete");
  }
  if (!facts.unique_symbols.empty()) {
    std::string names;
    for (const std::string& name : facts.unique_symbols) names += (names.empty() ? "" : ", ") + name;
    warnings.push_back("it has unique symbols (" + names +
                       "), which keep the old version in memory and are shared with the new one: compile it with "
                       "-fno-gnu-unique");
  }
  if (facts.static_tls && facts.tls_size != 0) {  // without own variables, it only reads another library's
    warnings.emplace_back(
        "its thread-local variables take room that is there only once for the whole program (static TLS), so that "
        "loading will fail after some reloads: compile it with -ftls-model=global-dynamic");
  }
  return warnings;
}

}  // namespace

refusal unfinished(std::string what) {
  return {verdict::incomplete, std::move(what) + ": the linker has not finished", {}};
}

outcome perhaps_unfinished(const image& lib, std::string what) {
  if (lib.state == writing::is_over) return passed;
  refusal answer = unfinished(std::move(what));
  answer.may_be_meant = true;
  answer.advice = "if they are meant, it is loaded some seconds after its last change, or at once with a digest";
  return answer;
}

refusal damaged(std::string what) {
  return {verdict::wrong, std::move(what) + ": the file is damaged", "link it again"};
}

refusal wrong(std::string what, std::string advice) { return {verdict::wrong, std::move(what), std::move(advice)}; }

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, 1, ',');
  return digits;
}

std::string hex(std::uint64_t number) {
  std::string digits;
  do {
    digits.insert(digits.begin(), "0123456789abcdef"[number % 16]);
    number /= 16;
  } while (number != 0);
  return "0x" + digits;
}

std::string in_quotes(const char* name) {
  // A damaged string table's names can be as long as the file.
  const std::string_view text(name);
  return text.size() <= 80 ? '"' + std::string(text) + '"' : '"' + std::string(text.substr(0, 77)) + "...\"";
}

}  // namespace inspecting

inspection inspect(std::span<const std::byte> file, elf_machine machine, writing state) {
  inspection answer;
  inspecting::image lib(file, machine, state, answer);
  for (const auto pass : inspecting::passes) {
    auto refused = pass(lib);
    if (!refused) continue;
    // The digest was made when all was written.
    if (refused->may_be_meant && !inspecting::digest_agrees(lib) && answer.facts.has_digest) {
      return inspect(file, machine, writing::is_over);
    }
    return {refused->is, std::move(refused->reason), std::move(refused->advice), refused->may_be_meant, {}, {}};
  }
  answer.is = verdict::sound;
  answer.warnings = inspecting::what_makes_reloading_hard(answer.facts);
  return answer;
}

std::vector<std::string> exported_names(std::span<const std::byte> file) {
  using namespace inspecting;
  std::vector<std::string> names;
  inspection answer;
  Elf64_Ehdr header;
  if (file.size() < sizeof header) return names;
  std::memcpy(&header, file.data(), sizeof header);
  image lib(file, static_cast<elf_machine>(header.e_machine), writing::is_over, answer);
  // The same passes, up to the one that knows all symbols to be inside.
  for (const auto pass : passes) {
    if (pass(lib)) return names;
    if (pass == symbols_are_inside) break;
  }
  for (std::size_t i = 1; i < lib.symbols.size(); ++i) {
    const Elf64_Sym symbol = lib.symbols[i];
    const unsigned type = ELF64_ST_TYPE(symbol.st_info);
    if (!is_exported(symbol)) continue;
    if (type != STT_FUNC && type != STT_OBJECT && type != STT_GNU_IFUNC && type != STT_TLS) continue;
    if (symbol.st_shndx == SHN_ABS) continue;  // the names of versions
    names.emplace_back(lib.strings.at(symbol.st_name));
  }
  return names;
}

}  // namespace autoreload
