// SPDX-License-Identifier: MIT
// token_cursor: where a parser is in its tokens.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lexer.hpp"

namespace autoreload::command {

class token_cursor {
 public:
  explicit token_cursor(std::vector<token> tokens) : tokens_(std::move(tokens)) {}

  /// Each level of the grammar that calls itself makes one, and complains where it is too deep.
  class nesting {
   public:
    explicit nesting(token_cursor& of) : of_(of) {
      constexpr int deepest = 200;
      if (++of_.depth_ > deepest) {
        --of_.depth_;
        complain(of_.peek().where, "this is nested too deeply");
      }
    }
    ~nesting() { --of_.depth_; }
    nesting(const nesting&) = delete;
    nesting& operator=(const nesting&) = delete;

   private:
    token_cursor& of_;
  };

  [[nodiscard]] const token& peek(std::size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  [[nodiscard]] bool sees(std::string_view sign, std::size_t ahead = 0) const {
    return peek(ahead).kind == token_kind::sign && peek(ahead).text == sign;
  }
  token next() {
    token taken = peek();
    if (at_ + 1 < tokens_.size()) ++at_;
    return taken;
  }
  bool take(std::string_view sign) {
    if (!sees(sign)) return false;
    next();
    return true;
  }
  place expect(std::string_view sign, const char* after) {
    if (!sees(sign)) complain(peek().where, "\"" + std::string(sign) + "\" is missing after " + after);
    return next().where;
  }
  void expect_end() const {
    if (peek().kind != token_kind::end) complain(peek().where, "nothing should follow here");
  }
  /// Where the token before this one ends.
  [[nodiscard]] std::size_t end_of_last() const { return tokens_[at_ == 0 ? 0 : at_ - 1].where.end; }

 private:
  std::vector<token> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace autoreload::command
