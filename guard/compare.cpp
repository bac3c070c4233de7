// SPDX-License-Identifier: MIT
// compare: goes from each symbol to every type that it leads to, and gathers what there is to say, once for each
// subject.
#include "guard/compare.hpp"

#include <algorithm>
#include <deque>
#include <iterator>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "guard/passing.hpp"
#include "guard/weigh.hpp"
#include "types/spell.hpp"

namespace autoreload::types {

namespace {

constexpr std::size_t most_findings = 200;  // a person reads the first few

class judge {
 public:
  judge(const description& was, const description& is, const perspective& from)
      : was_(was), is_(is), from_(from), scales_(was, is, from.host, from.exceptions) {
    if (from.host_sees == nullptr) return;
    for (const type& t : from.host_sees->types) {
      if (has_tag(t.kind) && !t.name.empty()) (t.complete ? host_knows_ : host_holds_).insert(spell_tag(t));
    }
  }

  comparison run() {
    for (const symbol& now : is_.symbols) {
      const symbol* const before = was_.find(now.name);
      if (before == nullptr || std::ranges::find(from_.exceptions, now.name) != from_.exceptions.end()) continue;
      judge_symbol(*before, now);
    }
    if (scales_.gave_up()) {
      own(true, "types", "types: they reach further than the guard follows, so some were not compared");
    }
    return {finish(differences_), finish(notes_)};
  }

 private:
  struct waiting {
    layout_pair pair;
    bool hidden;  // the host can't see into it
  };
  struct finding {
    std::string subject;
    std::string text;
    std::string reached;       // the first symbol that leads to it; empty when the subject is a symbol itself
    std::string last_reached;  // the latest
    std::size_t more = 0;      // how many lead to it beside the first
    std::string afterword{};
  };

  // --- what is said ------------------------------------------------------------------------------

  void add(bool breaks, finding what) {
    ++said_;
    std::vector<finding>& where = breaks ? differences_ : notes_;
    const auto known = std::ranges::find_if(where, [&](const finding& f) {
      return f.subject == what.subject && (what.reached.empty() || f.text == what.text);
    });
    if (known == where.end()) {
      if (where.size() < most_findings) where.push_back(std::move(what));
    } else if (known->last_reached != root_) {
      known->last_reached = root_;
      ++known->more;
    }
  }

  // Of a function or variable.
  void own(bool breaks, const std::string& subject, std::string text) {
    add(breaks, {subject, std::move(text), {}, root_});
  }

  // Of a type on the way.
  void told(const sentence& s, bool hidden) {
    finding what{s.subject, s.text, root_, root_};
    bool breaks = s.breaks;
    if (breaks && hidden) {
      breaks = entering_ && from_.handles_survive;
      what.afterword = "; the host can't see into it";
      if (breaks) what.afterword += ", but hands over what the running version made";
    }
    add(breaks, std::move(what));
  }

  static std::vector<remark> finish(const std::vector<finding>& from) {
    std::vector<remark> list;
    for (const finding& f : from) {
      std::string text = f.text;
      if (!f.reached.empty()) {
        text += " (reached through " + f.reached;
        if (f.more != 0) text += " and " + std::to_string(f.more) + " more";
        text += ")" + f.afterword;
      }
      list.push_back({f.subject, std::move(text)});
    }
    return list;
  }

  void declare(outcome found, const std::string& name, const std::string& was, const std::string& is) {
    if (found == outcome::same && (was == is || from_.host)) return;
    std::string text = name + ": ";
    if (was != is && from_.host) {
      text += "the host was compiled for " + was + ", the library has " + is;
    } else {
      text += scales_.change(was, is);
    }
    own(found == outcome::different, name, text + (found == outcome::different ? "" : ", the same to a caller"));
  }

  // --- symbols -----------------------------------------------------------------------------------

  void judge_symbol(const symbol& before, const symbol& now) {
    const std::size_t said_before = said_;
    visited_.clear();
    root_ = now.name;
    if (before.function != now.function) {
      const auto what = [](const symbol& s) { return std::string(s.function ? "a function" : "a variable"); };
      own(true, now.name, now.name + ": " + scales_.change(what(before), what(now)));
    } else if (before.written_in != now.written_in) {
      judge_passing(before, now);
    } else if (now.function) {
      judge_function(before, now);
    } else {
      entering_ = false;
      weighed found;
      const outcome types = scales_.variable(before.type, now.type, found);
      follow(found);
      declare(types, now.name, spell(was_, before.type), spell(is_, now.type));
    }
    if (said_ == said_before) clean_.insert(visited_.begin(), visited_.end());
  }

  void judge_function(const symbol& before, const symbol& now) {
    const type& was = was_.at(before.type);
    const type& is = is_.at(now.type);
    if (was.kind != kind::function || is.kind != kind::function) return;
    root_ += spell_parameters(was_, was);
    // What only a result leads to comes out of the new code; what a parameter leads to may have been made by the old.
    // Parameters go first, so that a type reached both ways counts as entering.
    entering_ = true;
    weighed found;
    outcome types = scales_.parameters(was, is, found);
    follow(found);
    entering_ = false;
    found = {};
    types = worse(types, scales_.result(was, is, found));
    follow(found);
    declare(types, now.name, spell(was_, before.type), spell(is_, now.type));
    if (types != outcome::different) judge_parameter_names(now.name, was, is);
  }

  // Two languages: only what the machine sees is comparable, and names are not.
  void judge_passing(const symbol& before, const symbol& now) {
    const crossing found = cross_languages(was_, before, is_, now);
    const type& signature = was_.at(before.type);
    if (signature.kind == kind::function) root_ += spell_parameters(was_, signature);
    if (found.differs) declare(outcome::different, now.name, spell(was_, before.type), spell(is_, now.type));
    for (const layout_pair& pair : found.layouts) {
      if (std::ranges::find(from_.exceptions, pair.name) != from_.exceptions.end()) continue;
      const type& was = was_.at(pair.was);
      const type& is = is_.at(pair.is);
      std::string text = pair.name + ": ";
      if (was.size == is.size) {
        text += "its fields are not where those of " + spell_tag(is) + " are";
      } else {
        text += "size " + scales_.change(std::to_string(was.size), std::to_string(is.size));
      }
      told({true, pair.name, std::move(text)}, false);
    }
  }

  void judge_parameter_names(const std::string& name, const type& was, const type& is) {
    for (std::size_t i = 0; i < was.members.size() && i < is.members.size(); ++i) {
      const std::string& before = was.members[i].name;
      const std::string& now = is.members[i].name;
      if (before == now || before.empty() || now.empty()) continue;
      const auto earlier = std::ranges::find(was.members, now, &member::name);
      if (earlier == was.members.end()) {
        own(false, name, name + ": parameter " + before + " is called " + now + " now");
      } else {
        own(true, name,
            name + ": parameter " + now + " moved from place " +
                std::to_string(std::distance(was.members.begin(), earlier) + 1) + " to " + std::to_string(i + 1));
      }
    }
  }

  // --- types -------------------------------------------------------------------------------------

  // Says what was found, and what is found behind it.
  void follow(const weighed& first) {
    std::deque<waiting> queue;
    const auto take = [&](const weighed& found, bool hidden) {
      for (const sentence& s : found.said) told(s, hidden);
      for (const layout_pair& pair : found.next) {
        const bool below = (hidden || host_holds_.contains(pair.name)) && !host_knows_.contains(pair.name);
        if (!clean_.contains(key(pair)) && visited_.insert(key(pair)).second) queue.push_back({pair, below});
      }
    };
    take(first, false);
    while (!queue.empty()) {
      const waiting next = std::move(queue.front());
      queue.pop_front();
      const auto [known, fresh] = layouts_.try_emplace(key(next.pair));
      if (fresh) known->second = scales_.layout(next.pair);
      take(known->second, next.hidden);
    }
  }

  static std::uint64_t key(const layout_pair& pair) { return std::uint64_t{pair.was} << 32 | pair.is; }

  const description& was_;
  const description& is_;
  const perspective& from_;
  scales scales_;
  std::unordered_set<std::string> host_knows_;
  std::unordered_set<std::string> host_holds_;
  std::unordered_map<std::uint64_t, weighed> layouts_;  // each pair is compared once, whoever leads to it
  std::unordered_set<std::uint64_t> clean_;             // pairs behind which nothing was said
  std::vector<finding> differences_;
  std::vector<finding> notes_;
  std::size_t said_ = 0;

  // The symbol that is being judged.
  std::string root_;
  bool entering_ = false;
  std::unordered_set<std::uint64_t> visited_;
};

}  // namespace

comparison compare(const description& was, const description& is, const perspective& from) {
  return judge(was, is, from).run();
}

}  // namespace autoreload::types
