// SPDX-License-Identifier: MIT
// run_frame: from top to bottom: what runs, the build, the calls, the last error, the library's output, the keys. Where
// there is too little room each of the parts in the middle keeps its most important lines.
#include "run_frame.hpp"

#include <algorithm>
#include <array>
#include <filesystem>

#include "frame_text.hpp"
#include "run_lines.hpp"
#include "source_excerpt.hpp"
#include "text_width.hpp"

namespace autoreload::command {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
using lines = std::vector<screen_line>;

constexpr int margin = 1;

screen_line start() { return std::move(screen_line().add(std::string(margin, ' '))); }

class drawing {
 public:
  explicit drawing(const frame_input& input) : in_(input), state_(input.state), by_(input.draw_with) {}

  lines all() const {
    lines made{title(), build()};
    if (!state_.carried.empty() && in_.size.rows >= 8) made.push_back(carried());
    const int keys_rows = in_.size.rows >= 4 ? 1 : 0;
    const int room = in_.size.rows - static_cast<int>(made.size()) - keys_rows;
    for (screen_line& line : middle(std::max(room, 0))) made.push_back(std::move(line));
    made.resize(static_cast<std::size_t>(std::max(in_.size.rows - keys_rows, 0)));
    if (keys_rows != 0) made.push_back(keys());
    return made;
  }

 private:
  std::string turning() const {
    const auto step = static_cast<std::size_t>(in_.now.time_since_epoch() / 100ms);
    const std::size_t bytes = by_.utf8 ? 3 : 1;
    return std::string(by_.spinner.substr(step % (by_.spinner.size() / bytes) * bytes, bytes));
  }

  screen_line title() const {
    const bool none = state_.generation == 0;
    screen_line line = start();
    line.add(none ? ink::grey : state_.alive ? ink::green : ink::red, std::string(none ? by_.ring : by_.dot));
    line.add(" ").add(ink::bold, std::filesystem::path(state_.library).filename().string());
    if (none) return line.add("  not loaded yet"), line;
    line.add("  generation " + std::to_string(state_.generation));
    if (state_.newest != state_.generation) line.add(ink::grey, " of " + std::to_string(state_.newest));
    if (state_.held) line.add(ink::yellow, state_.newer ? "  held: a newer build waits" : "  held");
    if (!state_.alive) line.add(ink::red, "  its process has ended");
    line.add(ink::grey, "  loaded " + age_text(in_.now - state_.since));
    return line;
  }

  screen_line build() const {
    const build_state& b = state_.build;
    screen_line line = start();
    const std::string when = ", " + age_text(in_.now - b.since);
    using is = build_state::is;
    switch (b.now) {
      case is::none:
        line.add(ink::grey,
                 b.text.empty() ? "not rebuilt when a source is saved" : "not rebuilt on save: " + after_kind(b.text));
        break;
      case is::ready: line.add(ink::grey, "rebuilt on save by " + after_kind(b.text)); break;
      case is::building: {
        const std::string saved = std::filesystem::path(b.saved).filename().string();
        line.add(ink::blue, turning() + " building").add(saved.empty() ? "" : ", " + saved + " was saved");
        break;
      }
      case is::built:
        line.add(ink::green, std::string(by_.good) + " built").add(" " + after_kind(b.text) + when);
        if (state_.after_save) {
          line.add("; loaded ").add(ink::green, duration_text(*state_.after_save)).add(" after the save");
        }
        break;
      case is::unchanged: line.add("nothing to load: " + after_kind(b.text) + when); break;
      case is::failed: line.add(ink::red, std::string(by_.bad) + " the build failed").add(when); break;
    }
    if (b.now > is::ready && !b.command.empty()) line.add(ink::grey, "  " + b.command);
    return line;
  }

  screen_line carried() const {
    const std::string text = printable("state: " + state_.carried, by_.utf8);
    const int room = std::max(in_.size.columns - margin, 8);
    screen_line line = start();
    line.add(ink::grey, columns_of(text) <= room ? text : cut_at(text, room - 1).fits + std::string(by_.more));
    return line;
  }

  // A line across, with a name in it.
  screen_line rule(const std::string& name) const {
    screen_line line;
    const auto draw = [&](int count) {
      std::string text;
      for (int i = 0; i < count; ++i) text += by_.rule;
      line.add(ink::grey, text);
    };
    draw(margin + 1);
    if (!name.empty()) line.add(" ").add(ink::bold, name).add(" ");
    draw(in_.size.columns - line.columns());
    return line;
  }

  // The roomiest way in which all parts are seen, or else the tightest, with the calls cut.
  lines middle(int room) const {
    struct way {
      bool spaced;
      unsigned around;  // lines of source on both sides of the wrong one
      int output;       // lines of it, if there are that many
    };
    constexpr std::array<way, 6> ways{
        {{true, 2, 3}, {true, 1, 2}, {false, 1, 2}, {false, 1, 1}, {false, 0, 1}, {false, 0, 0}}};
    const auto size = [](const lines& of) { return static_cast<int>(of.size()); };
    lines made = calls();
    lines wrong_part;
    way chosen{};
    for (const way& next : ways) {
      chosen = next;
      wrong_part = wrong(next.around, next.spaced);
      if (size(made) + size(wrong_part) + size(output(next.output, next.spaced)) <= room) break;
    }
    shorten(wrong_part, std::min(size(wrong_part), std::max(room - 3, room / 2)));
    shorten(made, room - size(wrong_part) - size(output(chosen.output, chosen.spaced)));
    std::move(wrong_part.begin(), wrong_part.end(), std::back_inserter(made));
    const int left = room - size(made) - (chosen.spaced ? 2 : 1);
    for (screen_line& line : output(left, chosen.spaced)) made.push_back(std::move(line));
    return made;
  }

  void shorten(lines& part, int rows) const {
    const int size = static_cast<int>(part.size());
    if (size <= rows) return;
    rows = std::max(rows, 0);
    part.resize(static_cast<std::size_t>(rows));
    if (rows < 2) return;
    part.back() = start();
    part.back().add(ink::grey, std::string(by_.more) + " " + std::to_string(size - rows + 1) + " more lines");
  }

  lines calls() const {
    lines made{rule("")};
    if (state_.calls.empty()) {
      made.push_back(start().add(ink::grey, "no expressions: name some after the library, such as 'foo(1)'"));
    }
    const int column = value_column();
    for (const watched_call& call : state_.calls) call_lines(made, call, column);
    return made;
  }

  // Where values begin: after the longest expression, but not further than the middle.
  int value_column() const {
    int widest = 0;
    for (const watched_call& call : state_.calls) {
      widest = std::max(widest, columns_of(call.text));
      for (const call_value& value : call.values) {
        if (!value.name.empty()) widest = std::max(widest, 2 + columns_of(value.name));
      }
    }
    return margin + std::min(widest, std::max(in_.size.columns / 2 - margin - 2, 8)) + 2;
  }

  void call_lines(lines& into, const watched_call& call, int column) const {
    using end = watched_call::end;
    const auto name = [&](const std::string& text) {
      screen_line line = start();
      const int room = column - margin - 2;
      line.add(columns_of(text) <= room ? text : cut_at(text, room - 1).fits + std::string(by_.more));
      line.pad_to(column);
      return line;
    };
    const bool slow = call.is == end::running && in_.now - call.since > 200ms;
    if (slow || ((call.is == end::waiting || call.is == end::running) && call.values.empty())) {
      screen_line line = name(call.text);
      if (slow) {
        line.add(ink::blue, turning() + " runs for " + duration_text(in_.now - call.since));
      } else {
        line.add(ink::grey, std::string(by_.more));
      }
      into.push_back(std::move(line));
      return;
    }
    bool named = false;
    for (const call_value& value : call.values) {
      screen_line line = name(value.name.empty() ? call.text : "  " + value.name);
      if (!value.name.empty() && !named) into.push_back(name(call.text));
      named = true;
      add_value(into, std::move(line), value, column, call.is == end::waiting);
    }
    if (call.is == end::wrong) {
      screen_line line = name(named ? "" : call.text);
      const std::string first = split(call.wrong).front();
      add_wrapped(into, std::move(line), ink::red, std::string(by_.bad) + " " + first, column, 3);
    } else if (call.values.empty()) {
      into.push_back(name(call.text).add(ink::green, std::string(by_.good)));
    }
  }

  void add_value(lines& into, screen_line line, const call_value& value, int column, bool old) const {
    const std::string was = value.before.empty() ? "" : "   was " + value.before;
    const ink colour = old ? ink::grey : value.before.empty() ? ink::plain : ink::bold;
    const bool fits = column + columns_of(value.text) + columns_of(was) <= in_.size.columns;
    if (fits) {
      line.add(colour, value.text).add(ink::yellow, was);
      into.push_back(std::move(line));
      return;
    }
    add_wrapped(into, std::move(line), colour, value.text, column, 4);
    if (!was.empty()) add_wrapped(into, start().pad_to(column), ink::yellow, was.substr(3), column, 2);
  }

  // A text that goes on in the lines below, under its beginning.
  void add_wrapped(lines& into, screen_line line, ink colour, const std::string& text, int column, int most) const {
    const int room = std::max(in_.size.columns - column, 8);
    std::string rest = printable(text, by_.utf8);
    for (int i = 0; i < most; ++i) {
      const bool last = i + 1 == most;
      if (columns_of(rest) <= room || last) {
        into.push_back(std::move(line.add(colour, rest)));
        return;
      }
      cut_text part = cut_at(rest, room);
      // Between words where there is a blank in the later half.
      if (const std::size_t blank = part.fits.rfind(' '); blank != std::string::npos && blank > part.fits.size() / 2) {
        part.rest.insert(0, part.fits, blank + 1);
        part.fits.resize(blank);
      }
      into.push_back(std::move(line.add(colour, part.fits)));
      rest = std::move(part.rest);
      line = start();
      line.pad_to(column);
    }
  }

  lines wrong(unsigned around, bool spaced) const {
    if (!state_.wrong) return {};
    const problem& p = *state_.wrong;
    lines made;
    if (spaced) made.emplace_back();
    made.push_back(rule("error"));
    std::vector<std::string> said = split(p.text);
    add_wrapped(made, start(), ink::red, said.front(), margin, 3);
    add_excerpt(made, excerpt_of(p.file, p.line, p.column, around));
    for (std::size_t i = 1; i < said.size(); ++i) made.push_back(start().add(said[i]));
    return made;
  }

  void add_excerpt(lines& into, const std::vector<excerpt_line>& source) const {
    constexpr int before = 11;  // columns: the mark, the number and the bar
    const int room = std::max(in_.size.columns - margin - before, 8);
    int hidden = 0;  // columns at the left, so that the caret is seen
    for (const excerpt_line& line : source) hidden = std::max(hidden, line.caret - room + 1 + room / 4);
    if (hidden < room / 4) hidden = 0;
    for (const excerpt_line& line : source) {
      std::string number = std::to_string(line.number);
      number.insert(0, number.size() < 5 ? 5 - number.size() : 0, ' ');
      const std::string text = hidden == 0 ? line.text : std::string(by_.more) + cut_at(line.text, hidden + 1).rest;
      into.push_back(start()
                         .add(line.here ? ink::red : ink::grey, (line.here ? " > " : "   ") + number + " | ")
                         .add(line.here ? ink::bold : ink::plain, text));
      if (line.caret < 0) continue;
      into.push_back(start()
                         .add(ink::grey, std::string(before - 3, ' ') + " | ")
                         .add(ink::red, std::string(static_cast<std::size_t>(line.caret - hidden), ' ') + "^"));
    }
  }

  lines output(int most, bool spaced) const {
    const auto& all = state_.output.lines();
    if (all.empty() || most < 1) return {};
    lines made;
    if (spaced) made.emplace_back();
    made.push_back(rule("the library's output"));
    for (std::size_t i = all.size() - std::min(all.size(), static_cast<std::size_t>(most)); i < all.size(); ++i) {
      made.push_back(start().add(all[i]));
    }
    return made;
  }

  screen_line keys() const {
    screen_line line;
    const auto key = [&](const char* letter, const char* meaning) {
      line.add(" ").add(ink::bold, letter).add(ink::grey, std::string(" ") + meaning + " ");
    };
    key("b", "build");
    key("h", state_.held ? "go on" : "hold");
    key("r", "roll back");
    key("f", "fresh");
    key("q", "quit");
    if (!in_.message.empty())
      line.add("  ").add(ink::yellow, in_.message);
    else if (!state_.doing.empty())
      line.add("  ").add(ink::blue, turning() + " " + state_.doing);
    return line;
  }

  const frame_input& in_;
  const run_state& state_;
  const glyphs& by_;
};

}  // namespace

std::vector<screen_line> frame_of(const frame_input& input) {
  std::vector<screen_line> made = drawing(input).all();
  made.resize(static_cast<std::size_t>(std::max(input.size.rows, 0)));
  return made;
}

std::chrono::milliseconds frame_lasts(const run_state& state, std::chrono::steady_clock::time_point now) {
  const bool calling = std::any_of(state.calls.begin(), state.calls.end(),
                                   [](const watched_call& call) { return call.is == watched_call::end::running; });
  if (calling || state.build.now == build_state::is::building) return 100ms;
  // Until one of the ages has another number of seconds.
  auto left = 1000ms;
  for (const clock::time_point since : {state.since, state.build.since}) {
    const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(now - since);
    left = std::min(left, 1000ms - age % 1000ms);
  }
  return left;
}

}  // namespace autoreload::command
