// SPDX-License-Identifier: MIT
// json: by nlohmann-json, which knows how to write strings that are no UTF-8.
#include "json.hpp"

#include <cstdlib>
#include <nlohmann/json.hpp>

namespace autoreload::command {

namespace {

using json = nlohmann::ordered_json;
using kind = shown_value::kind;

// Other than plain decimal ones, and 128-bit integers, stay text: JSON has no way to write them.
json number(const std::string& text) {
  json parsed = json::parse(text, nullptr, false);
  if (!parsed.is_number()) return text;
  if (parsed.is_number_float() && text.find_first_of(".e") == std::string::npos) return text;
  return parsed;
}

json tree(const shown_value& of) {
  switch (of.is) {
    case kind::number: return number(of.text);
    case kind::truth: return of.text == "true";
    case kind::pointer:
      if (of.text == "NULL") return nullptr;
      return of.text;
    case kind::character:
    case kind::string:
    case kind::constant: return of.text;
    case kind::fields: {
      json made = json::object();
      for (const auto& [name, part] : of.parts) made[name] = tree(part);
      return made;
    }
    case kind::elements: {
      json made = json::array();
      for (const auto& [name, part] : of.parts) made.push_back(tree(part));
      return made;
    }
    case kind::unreadable: return nullptr;
  }
  return nullptr;
}

}  // namespace

std::string to_json(const shown_value& of) { return tree(of).dump(-1, ' ', false, json::error_handler_t::replace); }

}  // namespace autoreload::command
