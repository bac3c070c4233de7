// SPDX-License-Identifier: MIT
// check_report: lines that start with what they are, so that `grep` finds them.
#include "check_report.hpp"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "terminal.hpp"

namespace autoreload::command {

namespace {

std::string line(ink colour, const std::string& word, const std::string& text) {
  return paint(colour, word + ":", STDOUT_FILENO) + " " + text + "\n";
}

}  // namespace

std::string to_text(const check_report& report) {
  std::string text;
  if (report.refused) {
    text += line(ink::red, "refused", report.refused->text);
    if (!report.refused->advice.empty()) text += line(ink::yellow, "advice", report.refused->advice);
  } else {
    text += line(ink::green, "loadable", report.path);
  }
  for (const std::string& hazard : report.hazards) text += line(ink::yellow, "hazard", hazard);
  for (const std::string& note : report.notes) text += line(ink::yellow, "note", note);
  for (const auto& [name, prototype] : report.exports) {
    text += line(ink::blue, "exports", prototype.empty() ? name + " (type not known)" : prototype);
  }
  if (report.against.empty()) return text;
  for (const std::string& difference : report.differences) text += line(ink::red, "difference", difference);
  for (const std::string& note : report.harmless) text += line(ink::grey, "harmless", note);
  if (report.differences.empty()) {
    text += line(ink::green, "compatible", (report.is_host ? "with the host " : "with ") + report.against);
  }
  return text;
}

std::string to_json(const check_report& report) {
  nlohmann::ordered_json made;
  made["library"] = report.path;
  made["loadable"] = !report.refused;
  if (report.refused) made["refused"] = {{"text", report.refused->text}, {"advice", report.refused->advice}};
  made["hazards"] = report.hazards;
  made["notes"] = report.notes;
  made["exports"] = nlohmann::ordered_json::array();
  for (const auto& [name, prototype] : report.exports) {
    made["exports"].push_back(
        {{"name", name},
         {"prototype", prototype.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(prototype)}});
  }
  if (!report.against.empty()) {
    made["against"] = report.against;
    made["differences"] = report.differences;
    made["harmless"] = report.harmless;
  }
  return made.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace autoreload::command
