// SPDX-License-Identifier: MIT
// expression_server: checks, evaluates and answers, in the process that has the library.
#pragma once

#include <string>

#include "session.hpp"
#include "worker.hpp"

namespace autoreload::command {

/// One build's expressions. Only where the process has the library: expressions call it.
class expression_server {
 public:
  /// @param handle   dlopen's
  /// @param options  borrowed for as long as this lives
  /// @param answers  messages go there
  expression_server(void* handle, type_table types, const worker_options& options, std::vector<local_name> locals,
                    int answers);
  expression_server(const expression_server&) = delete;
  expression_server& operator=(const expression_server&) = delete;

  /// Evaluates one expression and says what came of it.
  void answer(const std::string& expression);

 private:
  [[nodiscard]] surroundings around();
  [[nodiscard]] void* address_of(const std::string& name) const;
  void run(const checked_expression& checked);

  void* handle_;
  type_table types_;
  const worker_options& options_;
  std::vector<local_name> locals_;
  int answers_;
  session session_;
  evaluator evaluator_;
};

}  // namespace autoreload::command
