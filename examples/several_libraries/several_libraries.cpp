// SPDX-License-Identifier: MIT
// several_libraries: a chain of filters, each a library of its own, all with the same functions. Each is replaced
// without a glance at the others; all share one watcher thread.
#include <autoreload/autoreload.hpp>
#include <cstdio>
#include <deque>
#include <iostream>
#include <string>

#include "filter.h"

namespace {

struct filter_api {
  autoreload::required<::filter_name> name;
  autoreload::required<::filter_apply> apply;
  autoreload::optional<::filter_undo> undo;
};

using filter = autoreload::reloadable<filter_api>;

// Through all filters, and back through those that can undo: "mirror 1: olleh, back hello".
void show(const filter& one, std::string& text) {
  const auto pin = one.pin();  // name, apply and undo of one version
  const std::string before = text;
  pin->apply(text.data());
  std::cout << static_cast<const char*>(*pin->name) << ' ' << one.generation(pin) << ": " << text;
  if (pin->undo) {
    std::string back = text;
    pin->undo(back.data());
    std::cout << (back == before ? ", and back" : ", but not back: " + back);
  }
  std::cout << std::endl;
}

}  // namespace

int main(int count, char** words) {
  if (count < 2) {
    std::fprintf(stderr, "usage: %s FILTER.SO...\n", words[0]);
    return 2;
  }
  std::deque<filter> filters;  // a deque never moves what it holds
  for (int i = 1; i < count; ++i) filters.emplace_back(words[i]);

  for (std::string text; std::getline(std::cin, text);) {
    for (const filter& one : filters) {
      if (one.loaded()) show(one, text);
    }
  }
}
