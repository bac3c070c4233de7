// SPDX-License-Identifier: MIT
// agent_orders: a word for the kind, then the text, each ended by a zero byte: names may hold anything else.
#include "exec/agent_orders.hpp"

#include <cstdlib>
#include <fstream>
#include <iterator>

namespace autoreload::exec {

result<void> write_orders(const agent_orders& orders) {
  const std::string path = orders.directory + "/" + orders_file;
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  const auto put = [&](const char* kind, const std::string& text) { file << kind << '\0' << text << '\0'; };
  put("journal", orders.journal);
  put("helper", orders.helper);
  put("at", orders.at);
  if (orders.had_preload) put("preload", orders.preload);
  if (orders.trial) put("trial", "");
  if (orders.keep_old) put("keep old", "");
  if (orders.state) put("state", "");
  if (!orders.guard) put("no guard", "");
  for (const std::string& name : orders.libraries) put("library", name);
  for (const std::string& text : orders.remarks) put("remark", text);
  if (file.flush()) return {};
  return error(stage::use, path, "it can't be written");
}

result<agent_orders> read_orders(const std::string& directory) {
  const std::string path = directory + "/" + orders_file;
  std::ifstream file(path, std::ios::binary);
  if (!file) return error(stage::use, path, "it can't be read");
  agent_orders orders{.directory = directory};
  std::string kind;
  std::string text;
  while (std::getline(file, kind, '\0') && std::getline(file, text, '\0')) {
    if (kind == "journal") orders.journal = text;
    if (kind == "helper") orders.helper = text;
    if (kind == "at") orders.at = text;
    if (kind == "trial") orders.trial = true;
    if (kind == "keep old") orders.keep_old = true;
    if (kind == "state") orders.state = true;
    if (kind == "no guard") orders.guard = false;
    if (kind == "library") orders.libraries.push_back(text);
    if (kind == "remark") orders.remarks.push_back(text);
    if (kind == "preload") {
      orders.preload = text;
      orders.had_preload = true;
    }
  }
  return orders;
}

void restore_environment(const agent_orders& orders, const char* variable) {
  unsetenv(variable);
  if (orders.had_preload) {
    setenv("LD_PRELOAD", orders.preload.c_str(), 1);
  } else {
    unsetenv("LD_PRELOAD");
  }
}

}  // namespace autoreload::exec
