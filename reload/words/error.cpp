// SPDX-License-Identifier: MIT
// error: composes the text of an error.
#include <autoreload/error.hpp>
#include <autoreload/symbol.hpp>

namespace autoreload {

std::string_view to_string(stage at) noexcept {
  switch (at) {
    case stage::use: return "use";
    case stage::watch: return "watch";
    case stage::snapshot: return "snapshot";
    case stage::inspect: return "inspect";
    case stage::guard: return "guard";
    case stage::trial: return "trial";
    case stage::load: return "load";
    case stage::verify: return "verify";
    case stage::publish: return "publish";
    case stage::retire: return "retire";
    case stage::build: return "build";
    case stage::handover: return "handover";
    case stage::call: return "call";
  }
  return "unknown";
}

error::error(stage at, std::string path, std::string reason)
    : at_(at), path_(std::move(path)), reason_(std::move(reason)) {
  compose();
}

error& error::system(std::string text) {
  system_ = std::move(text);
  compose();
  return *this;
}

error& error::advise(std::string text) {
  advice_ = std::move(text);
  compose();
  return *this;
}

error& error::missing(std::vector<missing_symbol> symbols) {
  missing_ = std::move(symbols);
  compose();
  return *this;
}

error& error::rename(std::string path) {
  path_ = std::move(path);
  compose();
  return *this;
}

// Out of line, so that the class's type information is the library's: a host may be compiled without any.
const char* error::what() const noexcept { return text_.c_str(); }

void error::compose() {
  text_ = std::string(to_string(at_)) + ": ";
  if (!path_.empty()) text_ += "\"" + path_ + "\": ";
  text_ += reason_;
  for (const missing_symbol& symbol : missing_) {
    text_ += "\n  missing: " + symbol.type;
    if (!symbol.nearest.empty()) text_ += " (did you mean " + symbol.nearest + "?)";
  }
  if (!system_.empty()) text_ += "\n  system: " + system_;
  if (!advice_.empty()) text_ += "\n  advice: " + advice_;
}

void detail::throw_error(const error& failure) { throw error(failure); }

void throw_not_loaded(const char* symbol) {
  throw error(stage::use, {}, std::string(symbol) + " was called, but no generation of its library is loaded yet")
      .advise("wait for the first event of kind loaded, or test loaded() before the call");
}

}  // namespace autoreload
