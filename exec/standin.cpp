// SPDX-License-Identifier: MIT
// standin: the library's own file, with three segments more at its end and everything else where it was.
//
// The symbol table is doubled: the old entries keep their numbers, so that no relocation has to be changed, and can't
// be found by name; new ones, which can, have the stubs' addresses. The old entry of a function is hidden, so the
// library's own references lead to its own code; those to variables are looked up by name, as ever.
#include "exec/standin.hpp"

#include <algorithm>
#include <cstring>

#include "elf/gnu_hash.hpp"
#include "exec/exports.hpp"
#include "exec/hash_tables.hpp"
#include "exec/new_segment.hpp"
#include "exec/standin_format.hpp"
#include "exec/stub_code.hpp"
#include "reload/history/history.hpp"

namespace autoreload::exec {
namespace {

constexpr std::uint64_t page = 4096;

class writer {
 public:
  writer(const standin_request& wanted, dynamic_tables tables)
      : wanted_(wanted), file_{wanted.bytes, wanted.facts.segments, 0}, tables_(std::move(tables)) {}

  std::vector<std::byte> write() {
    place();
    read_symbols();
    write_strings();
    write_code();
    write_header();
    write_relocations();
    write_dynamic();
    return assemble();
  }

 private:
  void place() {
    std::uint64_t end = 0;
    std::uint64_t alignment = page;
    for (const Elf64_Phdr part : file_.program_headers()) {
      if (part.p_type != PT_LOAD) continue;
      end = std::max(end, part.p_vaddr + part.p_memsz);
      alignment = std::max(alignment, part.p_align);
    }
    tables_segment_ = {rounded(end, alignment), PF_R, {}};
    // One entry for each new segment, and one for the stack, which the file may lack.
    header_count_ = file_.program_headers().size() + 4;
    tables_segment_.add(std::string(header_count_ * sizeof(Elf64_Phdr), '\0'));
  }

  void read_symbols() {
    exports_ = exports_of(file_, tables_);
    const std::uint32_t buckets = gnu_buckets(exports_.size());
    std::stable_sort(exports_.begin(), exports_.end(), [&](const auto& a, const auto& b) {
      return gnu_hash(a.name.c_str()) % buckets < gnu_hash(b.name.c_str()) % buckets;
    });
    for (std::uint32_t i = 0; i < exports_.size(); ++i) {
      if (exports_[i].is_function()) slots_.push_back(i);
    }
    spare_ = std::max<std::uint32_t>(64, static_cast<std::uint32_t>(slots_.size()) / 4);
  }

  [[nodiscard]] std::uint32_t slot_count() const { return static_cast<std::uint32_t>(slots_.size()) + spare_; }

  std::uint32_t text(const std::string& what) {
    const auto at = static_cast<std::uint32_t>(strings_.size());
    strings_ += what + '\0';
    return at;
  }

  void write_strings() {
    strings_.assign(reinterpret_cast<const char*>(tables_.strings.data()), tables_.strings.size());
    for (const std::uint32_t one : slots_) {
      const exported_symbol& symbol = exports_[one];
      names_.push_back({symbol.raw.st_name, symbol.version.empty() ? 0 : text(symbol.version)});
    }
    path_ = text(wanted_.path);
    if (!wanted_.name.empty() && wanted_.name != wanted_.facts.soname) soname_ = text(wanted_.name);
    directory_ = wanted_.path.substr(0, wanted_.path.rfind('/'));
    for (Elf64_Dyn& entry : tables_.entries) {
      if (entry.d_tag == DT_RPATH || entry.d_tag == DT_RUNPATH || entry.d_tag == DT_NEEDED) {
        expand_origin(entry.d_un.d_val);
      }
    }
  }

  // `$ORIGIN` would be the stand-in's directory.
  void expand_origin(std::uint64_t& offset) {
    std::string words = reinterpret_cast<const char*>(tables_.strings.data()) + offset;
    bool changed = false;
    for (const std::string_view origin : {"${ORIGIN}", "$ORIGIN"}) {
      for (std::size_t at = 0; (at = words.find(origin, at)) != std::string::npos; at += directory_.size()) {
        words.replace(at, origin.size(), directory_);
        changed = true;
      }
    }
    if (changed) offset = text(words);
  }

  // Code comes behind the tables, whose size must be known for that; the header behind the code.
  void write_code() {
    names_at_ = tables_segment_.add(raw_all(names_));
    strings_at_ = tables_segment_.add(strings_);
    tables_.symbols = write_symbol_space();
    relocations_at_ = tables_segment_.add(std::string(relocation_space(), '\0'));
    plt_relocations_at_ = tables_segment_.add(std::string(plt_relocation_space(), '\0'));
    code_.address = rounded(tables_segment_.address + tables_segment_.bytes.size(), page);
    code_.flags = PF_R | PF_X;
    const std::uint64_t code_size = std::uint64_t{2} * slot_count() * stub_size;
    data_.address = rounded(code_.address + code_size, page);
    data_.flags = PF_R | PF_W;
    for (std::uint32_t i = 0; i < slot_count(); ++i) {
      code_.bytes += call_stub({data_.address, code_.address + code_.bytes.size()}, i);
    }
    notices_at_ = code_.address + code_.bytes.size();
    for (std::uint32_t i = 0; i < slot_count(); ++i) {
      code_.bytes += notice_stub({data_.address, code_.address + code_.bytes.size()}, i);
    }
    write_symbols();
  }

  std::uint64_t write_symbol_space() {
    std::vector<std::string> names;
    for (const exported_symbol& one : exports_) names.push_back(one.name);
    const std::uint32_t first = tables_.symbol_count;
    const std::size_t count = first + exports_.size();
    gnu_hash_at_ = tables_segment_.add(gnu_hash_table(names, first));
    if (tables_.value(DT_HASH)) old_hash_at_ = tables_segment_.add(old_hash_table(names, first));
    if (tables_.versions != 0) {
      std::vector<std::uint16_t> versions;
      for (const std::uint16_t one : records_at<std::uint16_t>(file_, tables_.versions, first)) versions.push_back(one);
      for (const exported_symbol& one : exports_) versions.push_back(one.version_index);
      versions_at_ = tables_segment_.add(raw_all(versions));
    }
    return tables_segment_.add(std::string(count * sizeof(Elf64_Sym), '\0'));
  }

  void write_symbols() {
    std::vector<Elf64_Sym> symbols;
    for (const Elf64_Sym one : records_at<Elf64_Sym>(file_, *tables_.value(DT_SYMTAB), tables_.symbol_count)) {
      symbols.push_back(one);
    }
    std::uint32_t slot = 0;
    for (const exported_symbol& one : exports_) {
      Elf64_Sym made = one.raw;
      if (one.is_function()) {
        made.st_value = code_.address + std::uint64_t{slot} * stub_size;
        made.st_size = stub_size;
        made.st_info = static_cast<unsigned char>(ELF64_ST_INFO(ELF64_ST_BIND(made.st_info), STT_FUNC));
        Elf64_Sym& own = symbols[one.index];
        if (!wanted_.replaced.contains(one.name)) own.st_other = STV_HIDDEN;
        ++slot;
      }
      symbols.push_back(made);
    }
    tables_segment_.put(tables_.symbols, raw_all(symbols));
  }

  void write_header() {
    standin_header header;
    header.functions = static_cast<std::uint32_t>(slots_.size());
    header.slots = slot_count();
    header.contents = contents_of(wanted_.bytes, wanted_.facts);
    const std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
    data_.add(bytes, 64);
    table_at_ = data_.add(std::string(slot_count() * sizeof(void*), '\0'), 64);
    const auto point = [&](std::size_t field, std::uint64_t to) { relative(data_.address + field, to); };
    point(offsetof(standin_header, table), table_at_);
    point(offsetof(standin_header, first_table), table_at_);
    point(offsetof(standin_header, names), names_at_);
    point(offsetof(standin_header, strings), strings_at_);
    point(offsetof(standin_header, path), strings_at_ + path_);
    point(offsetof(standin_header, stubs), code_.address);
    point(offsetof(standin_header, notices), notices_at_);
    for (std::uint32_t i = 0; i < slot_count(); ++i) {
      const std::uint64_t at = table_at_ + i * sizeof(void*);
      if (i >= slots_.size()) {
        relative(at, notices_at_ + std::uint64_t{i} * stub_size);
      } else if (const exported_symbol& one = exports_[slots_[i]]; one.kind == symbol_kind::chosen) {
        chosen_.push_back({at, ELF64_R_INFO(0, R_X86_64_IRELATIVE), static_cast<Elf64_Sxword>(one.raw.st_value)});
      } else {
        relative(at, one.raw.st_value);
      }
    }
  }

  void relative(std::uint64_t at, std::uint64_t to) {
    relatives_.push_back({at, ELF64_R_INFO(0, R_X86_64_RELATIVE), static_cast<Elf64_Sxword>(to)});
  }

  // ---- relocations: relative ones first, as DT_RELACOUNT says; those that run code last, when all others are done

  static constexpr std::size_t header_pointers = 7;
  [[nodiscard]] std::size_t chosen_count() const {
    return static_cast<std::size_t>(std::count_if(
        slots_.begin(), slots_.end(), [&](std::uint32_t one) { return exports_[one].kind == symbol_kind::chosen; }));
  }
  [[nodiscard]] std::size_t relocation_space() const {
    const std::size_t made = header_pointers + slot_count() - (has_plt() ? chosen_count() : 0);
    return (relocations_of(file_, tables_, DT_RELA, DT_RELASZ).size() + made) * sizeof(Elf64_Rela);
  }
  [[nodiscard]] bool has_plt() const { return tables_.value(DT_JMPREL).has_value(); }
  [[nodiscard]] std::size_t plt_relocation_space() const {
    return has_plt()
               ? (relocations_of(file_, tables_, DT_JMPREL, DT_PLTRELSZ).size() + chosen_count()) * sizeof(Elf64_Rela)
               : 0;
  }

  void write_relocations() {
    std::vector<Elf64_Rela> all = relatives_;
    for (const Elf64_Rela one : relocations_of(file_, tables_, DT_RELA, DT_RELASZ)) all.push_back(one);
    std::vector<Elf64_Rela> plt;
    if (has_plt()) {
      for (const Elf64_Rela one : relocations_of(file_, tables_, DT_JMPREL, DT_PLTRELSZ)) plt.push_back(one);
    }
    std::vector<Elf64_Rela>& last = has_plt() ? plt : all;
    last.insert(last.end(), chosen_.begin(), chosen_.end());
    tables_segment_.put(relocations_at_, raw_all(all));
    tables_segment_.put(plt_relocations_at_, raw_all(plt));
    relocation_bytes_ = all.size() * sizeof(Elf64_Rela);
    plt_relocation_bytes_ = plt.size() * sizeof(Elf64_Rela);
  }

  // ---- the dynamic section

  void set(std::int64_t tag, std::uint64_t value) {
    auto at =
        std::find_if(tables_.entries.begin(), tables_.entries.end(), [&](const auto& one) { return one.d_tag == tag; });
    if (at == tables_.entries.end()) at = tables_.entries.insert(at, Elf64_Dyn{tag, {}});
    at->d_un.d_val = value;
  }

  void write_dynamic() {
    if (const auto count = tables_.value(DT_RELACOUNT)) set(DT_RELACOUNT, *count + relatives_.size());
    set(DT_SYMTAB, tables_.symbols);
    set(DT_STRTAB, strings_at_);
    set(DT_STRSZ, strings_.size());
    set(DT_GNU_HASH, gnu_hash_at_);
    if (old_hash_at_ != 0) set(DT_HASH, old_hash_at_);
    if (versions_at_ != 0) set(DT_VERSYM, versions_at_);
    set(DT_RELA, relocations_at_);
    set(DT_RELASZ, relocation_bytes_);
    set(DT_RELAENT, sizeof(Elf64_Rela));
    if (has_plt()) {
      set(DT_JMPREL, plt_relocations_at_);
      set(DT_PLTRELSZ, plt_relocation_bytes_);
    }
    if (soname_ != 0) set(DT_SONAME, soname_);
    set(standin_tag, data_.address);
    std::vector<Elf64_Dyn> entries = tables_.entries;
    entries.push_back({DT_NULL, {}});
    dynamic_size_ = entries.size() * sizeof(Elf64_Dyn);
    dynamic_at_ = data_.add(raw_all(entries));
  }

  // ---- the file

  std::vector<Elf64_Phdr> program_headers(std::uint64_t offset) {
    std::vector<Elf64_Phdr> made;
    std::size_t last_load = 0;
    bool has_stack = false;
    for (Elf64_Phdr part : file_.program_headers()) {
      if (part.p_type == PT_PHDR) part.p_type = PT_NULL;
      if (part.p_type == PT_LOAD) last_load = made.size();
      has_stack |= part.p_type == PT_GNU_STACK;
      if (part.p_type == PT_DYNAMIC) {
        const std::uint64_t at = offset + (dynamic_at_ - tables_segment_.address);
        part = {PT_DYNAMIC, PF_R | PF_W, at, dynamic_at_, dynamic_at_, dynamic_size_, dynamic_size_, 8};
      }
      made.push_back(part);
    }
    std::size_t at = last_load;
    for (const new_segment* const one : {&tables_segment_, &code_, &data_}) {
      const std::uint64_t size = one->bytes.size();
      const std::uint64_t where = offset + (one->address - tables_segment_.address);
      made.insert(made.begin() + static_cast<std::ptrdiff_t>(++at),
                  {PT_LOAD, one->flags, where, one->address, one->address, size, size, page});
    }
    if (!has_stack) made.push_back({PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 0, 0, 16});
    return made;
  }

  std::vector<std::byte> assemble() {
    const std::uint64_t offset = rounded(wanted_.bytes.size(), page);
    const std::vector<Elf64_Phdr> headers = program_headers(offset);
    tables_segment_.put(tables_segment_.address, raw_all(headers));
    std::vector<std::byte> made(offset + (data_.address - tables_segment_.address) + data_.bytes.size());
    std::copy(wanted_.bytes.begin(), wanted_.bytes.end(), made.begin());
    for (const new_segment* const one : {&tables_segment_, &code_, &data_}) {
      std::memcpy(made.data() + offset + (one->address - tables_segment_.address), one->bytes.data(),
                  one->bytes.size());
    }
    Elf64_Ehdr first;
    std::memcpy(&first, made.data(), sizeof first);
    first.e_phoff = offset;
    first.e_phnum = static_cast<Elf64_Half>(headers.size());
    std::memcpy(made.data(), &first, sizeof first);
    move_dynamic_section(made, wanted_.bytes.size(),
                         {dynamic_at_, offset + (dynamic_at_ - tables_segment_.address), dynamic_size_});
    return made;
  }

  const standin_request& wanted_;
  const elf_view file_;
  dynamic_tables tables_;
  std::vector<exported_symbol> exports_;
  std::vector<std::uint32_t> slots_;  // which of them has the slot
  std::uint32_t spare_ = 0;
  std::size_t header_count_ = 0;
  std::string strings_;
  std::string directory_;
  std::vector<slot_name> names_;
  std::uint32_t path_ = 0;
  std::uint32_t soname_ = 0;
  new_segment tables_segment_;
  new_segment code_;
  new_segment data_;
  std::uint64_t names_at_ = 0, strings_at_ = 0, gnu_hash_at_ = 0, old_hash_at_ = 0, versions_at_ = 0;
  std::uint64_t relocations_at_ = 0, plt_relocations_at_ = 0, relocation_bytes_ = 0, plt_relocation_bytes_ = 0;
  std::uint64_t notices_at_ = 0, table_at_ = 0, dynamic_at_ = 0, dynamic_size_ = 0;
  std::vector<Elf64_Rela> relatives_;
  std::vector<Elf64_Rela> chosen_;
};

}  // namespace

result<std::vector<std::byte>> make_standin(const standin_request& wanted) {
  if constexpr (this_machine != elf_machine::x86_64) {
    return error(stage::load, wanted.path, "no stand-in can be made for this machine")
        .advise("programs run with replaceable libraries on x86-64 only, so far");
  }
  const elf_view file{wanted.bytes, wanted.facts.segments, 0};
  std::optional<dynamic_tables> tables = tables_of(file);
  if (!tables || tables->symbol_count < 2) {
    return error(stage::load, wanted.path, "it exports nothing that could be replaced")
        .advise("export its functions: no -fvisibility=hidden, no version script that hides them");
  }
  return writer(wanted, *std::move(tables)).write();
}

}  // namespace autoreload::exec
