// SPDX-License-Identifier: MIT
// copy_plan: compares what the stand-in exports with what the new build does.
#include "exec/copy_plan.hpp"

#include <cstring>
#include <utility>

#include "exec/leaving.hpp"
#include "exec/standin_format.hpp"
#include "exec/table_room.hpp"

namespace autoreload::exec {
namespace {

using kind = symbol_kind;

error cant(const exported_symbol& symbol, const std::string& reason) {
  return error(stage::load, {}, "the exported `" + symbol.name + "` " + reason)
      .advise("start the program anew, or give what is new another name");
}

std::string bytes_of(const elf_view& file, const exported_symbol& symbol) {
  const std::byte* const first = file.bytes(symbol.raw.st_value, symbol.raw.st_size);
  if (first == nullptr) return {};
  return {reinterpret_cast<const char*>(first), static_cast<std::size_t>(symbol.raw.st_size)};
}

std::string constant_of(const elf_view& file, const dynamic_tables& tables, const exported_symbol& symbol) {
  if (symbol.kind != kind::constant) return {};
  const load_segment* const segment = file.holding(symbol.raw.st_value, symbol.raw.st_size);
  const bool writable = segment != nullptr && (segment->flags & PF_W) != 0;
  if (writable && is_relocated(file, tables, symbol.raw.st_value, symbol.raw.st_size)) return {};
  return bytes_of(file, symbol);
}

// What becomes of one of the new build's symbols.
enum class fate : std::uint8_t { as_it_is, own, shared };

class planning {
 public:
  planning(const elf_view& file, const dynamic_tables& tables, const standin_facts& standin)
      : file_(file), tables_(tables), standin_(standin) {}

  result<fate> decide(const exported_symbol& symbol, copy_plan& into) const {
    const symbol_key key{symbol.name, symbol.version};
    const auto known = standin_.data_symbols.find(key);
    if (symbol.is_function()) {
      if (known != standin_.data_symbols.end()) return cant(symbol, "was a variable, and is a function");
      return standin_.replaced.contains(symbol.name) ? fate::as_it_is : fate::own;
    }
    if (symbol.kind == kind::unique || symbol.kind == kind::other) return fate::as_it_is;
    if (standin_.functions.contains(key)) return cant(symbol, "was a function, and is a variable");
    if (symbol.kind == kind::thread_local_variable) return decide_thread_local(symbol, known);
    if (known == standin_.data_symbols.end()) return fate::own;
    return decide_data(symbol, known->second, into);
  }

 private:
  using known_data = std::map<symbol_key, standin_facts::data>::const_iterator;

  result<fate> decide_thread_local(const exported_symbol& symbol, known_data known) const {
    if (known == standin_.data_symbols.end()) return fate::as_it_is;
    const exported_symbol& before = known->second.symbol;
    if (before.kind != symbol.kind) return cant(symbol, "was not thread-local, and is");
    if (before.raw.st_size != symbol.raw.st_size) return cant(symbol, sizes(before, symbol));
    return fate::as_it_is;  // looked up by name, and the program's is found first
  }

  result<fate> decide_data(const exported_symbol& symbol, const standin_facts::data& known, copy_plan& into) const {
    const exported_symbol& before = known.symbol;
    if (before.kind == kind::thread_local_variable) return cant(symbol, "was thread-local, and is not");
    if (symbol.kind == kind::constant && before.kind == kind::constant) {
      const std::string now = constant_of(file_, tables_, symbol);
      if (!now.empty() && now == known.constant) return fate::shared;
      into.own_constants.push_back(symbol.name);
      return fate::own;
    }
    if (before.kind == kind::constant) return cant(symbol, "was constant, and is not");
    if (before.raw.st_size != symbol.raw.st_size) return cant(symbol, sizes(before, symbol));
    return fate::shared;
  }

  static std::string sizes(const exported_symbol& before, const exported_symbol& now) {
    return "had " + std::to_string(before.raw.st_size) + " bytes, and has " + std::to_string(now.raw.st_size) +
           ": the program's code relies on its size";
  }

  const elf_view& file_;
  const dynamic_tables& tables_;
  const standin_facts& standin_;
};

void write_symbol(std::string& table, const exported_symbol& symbol, const Elf64_Sym& changed) {
  std::memcpy(table.data() + std::size_t{symbol.index} * sizeof changed, &changed, sizeof changed);
}

}  // namespace

std::vector<load_segment> segments_of(std::span<const std::byte> file) {
  std::vector<load_segment> found;
  for (const Elf64_Phdr part : elf_view{file, {}, 0}.program_headers()) {
    if (part.p_type != PT_LOAD) continue;
    found.push_back({part.p_offset, part.p_filesz, part.p_vaddr, part.p_memsz, part.p_flags});
  }
  return found;
}

bool standin_facts::has(const std::string& name) const {
  const symbol_key first{name, ""};
  const auto variable = data_symbols.lower_bound(first);
  const auto function = functions.lower_bound(first);
  return (variable != data_symbols.end() && variable->first.first == name) ||
         (function != functions.end() && function->first == name);
}

result<standin_facts> read_standin(std::span<const std::byte> bytes) {
  const std::vector<load_segment> segments = segments_of(bytes);
  const elf_view file{bytes, segments, 0};
  const std::optional<dynamic_tables> tables = tables_of(file);
  const auto header_at = tables ? tables->value(standin_tag) : std::nullopt;
  if (!header_at) return error(stage::load, {}, "this is no stand-in");
  standin_facts facts;
  for (exported_symbol& one : exports_of(file, *tables)) {
    const symbol_key key{one.name, one.version};
    if (!one.is_function()) {
      std::string constant = constant_of(file, *tables, one);
      facts.data_symbols.insert_or_assign(key, standin_facts::data{std::move(one), std::move(constant)});
    } else if (!facts.functions.insert(key).second) {
      // The stub, and the library's own that is not hidden.
      facts.replaced.insert(one.name);
    }
  }
  return facts;
}

result<copy_plan> plan_copy(std::span<const std::byte> build, const standin_facts& standin,
                            const variable_address& address, std::uint64_t table_size) {
  const std::vector<load_segment> segments = segments_of(build);
  const elf_view file{build, segments, 0};
  const std::optional<dynamic_tables> tables = tables_of(file);
  if (!tables) return error(stage::load, {}, "it has no dynamic symbols");
  const std::byte* const first = file.bytes(tables->symbols, tables->symbol_count * sizeof(Elf64_Sym));
  if (first == nullptr) return error(stage::load, {}, "its dynamic symbols are not all in the file");
  const std::string original(reinterpret_cast<const char*>(first), tables->symbol_count * sizeof(Elf64_Sym));
  std::string changed = original;
  copy_plan plan;
  const planning how(file, *tables, standin);
  for (exported_symbol& symbol : exports_of(file, *tables)) {
    const result<fate> decided = how.decide(symbol, plan);
    if (!decided) return decided.error();
    Elf64_Sym made = symbol.raw;
    void* const place = *decided == fate::shared ? address(symbol) : nullptr;
    if (*decided != fate::as_it_is) made.st_other = STV_HIDDEN;
    if (place != nullptr) {
      made.st_value = reinterpret_cast<std::uint64_t>(place);
      made.st_shndx = SHN_ABS;
    }
    write_symbol(changed, symbol, made);
    if (symbol.is_function()) plan.functions.insert_or_assign({symbol.name, symbol.version}, std::move(symbol));
  }
  plan.edits.push_back({static_cast<std::uint64_t>(first - build.data()), original, changed});
  plan.stays = why_it_stays(file, *tables);
  if (std::optional<table_room> room = room_for_table(build, table_size)) {
    plan.table = room->address;
    plan.edits.push_back(std::move(room->edit));
  } else if (plan.stays.empty()) {
    plan.stays = "its last segment can't be written to";
  }
  return plan;
}

}  // namespace autoreload::exec
