// SPDX-License-Identifier: MIT
// generate: walks the subcommands and options that CLI11 knows.
#include "generate.hpp"

#include <cstdio>
#include <vector>

namespace autoreload::command {

namespace {

struct option_facts {
  std::vector<std::string> names;  // with their dashes
  std::string help;
  std::string value;  // what it takes, or empty
};

std::vector<option_facts> options_of(const CLI::App& app) {
  std::vector<option_facts> list;
  for (const CLI::Option* option : app.get_options()) {
    option_facts made{{}, option->get_description(), option->get_type_size() == 0 ? "" : option->get_type_name()};
    for (const std::string& name : option->get_snames()) made.names.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) made.names.push_back("--" + name);
    if (!made.names.empty()) list.push_back(made);
  }
  return list;
}

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  std::vector<const CLI::App*> list;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!command->get_group().empty()) list.push_back(command);
  }
  return list;
}

// The choices of an option that has some.
std::string choices_of(const option_facts& option) {
  if (option.value == "WHEN") return "auto always never";
  if (option.value == "BASE") return "2 8 10 16";
  return "";
}

bool takes_file(const option_facts& option) {
  return option.value == "FILE" || option.value == "DIRECTORY" || option.value == "PROGRAM";
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

std::string bash(const CLI::App& app) {
  std::string commands;
  std::string cases;
  std::string values;
  std::string valued;  // options whose value isn't offered: the next word is not counted as the library
  const auto words = [&](const CLI::App& of) {
    std::string text;
    for (const option_facts& option : options_of(of)) {
      for (const std::string& name : option.names) {
        text += (text.empty() ? "" : " ") + name;
        if (option.value.empty()) continue;
        valued += (valued.empty() ? "" : "|") + name;
        if (!choices_of(option).empty())
          values +=
              "    " + name + ") COMPREPLY=($(compgen -W '" + choices_of(option) + "' -- \"$word\")); return ;;\n";
        if (takes_file(option))
          values += "    " + name + ") compopt -o filenames; COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n";
      }
    }
    return text;
  };
  const std::string global = words(app);
  for (const CLI::App* command : commands_of(app)) {
    commands += (commands.empty() ? "" : " ") + command->get_name();
    cases += "    " + command->get_name() + ") options='" + words(*command) + " --color' ;;\n";
  }
  return "# SPDX-License-Identifier: MIT\n# Completion of autoreload for bash.\n_autoreload() {\n"
         "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command='' options='" +
         global +
         "' i\n"
         "  COMPREPLY=()\n"
         "  for ((i = 1; i < COMP_CWORD; i++)); do\n    case ${COMP_WORDS[i]} in\n      -*) ;;\n      *) case "
         "${COMP_WORDS[i-1]} in --color) ;; *) command=${COMP_WORDS[i]}; break ;; esac ;;\n    esac\n  done\n"
         "  case $before in\n" +
         values + "    " + valued +
         ") return ;;\n  esac\n"
         "  if [[ -z $command ]]; then\n    COMPREPLY=($(compgen -W \"" +
         commands +
         " $options\" -- \"$word\"))\n    return\n  fi\n"
         "  case $command in\n" +
         cases +
         "  esac\n"
         "  if [[ $word == -* ]]; then\n    COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n  else\n    compopt "
         "-o filenames\n    COMPREPLY=($(compgen -f -- \"$word\"))\n  fi\n"
         "}\ncomplete -F _autoreload autoreload\n";
}

std::string zsh(const CLI::App& app) {
  const auto quoted = [](const std::string& text) {
    return replaced(replaced(replaced(replaced(text, "'", "'\\''"), "[", "\\["), "]", "\\]"), ":", "\\:");
  };
  const auto lines = [&](const CLI::App& of, const std::string& indent) {
    std::string text;
    for (const option_facts& option : options_of(of)) {
      for (const std::string& name : option.names) {
        text += indent + "'*" + name + "[" + quoted(option.help) + "]";
        if (!option.value.empty()) {
          const std::string choices = choices_of(option);
          text += ":" + option.value + ":" +
                  (!choices.empty()     ? "(" + choices + ")"
                   : takes_file(option) ? "_files"
                                        : "");
        }
        text += "' \\\n";
      }
    }
    return text;
  };
  std::string commands;
  std::string cases;
  for (const CLI::App* command : commands_of(app)) {
    commands += "    '" + command->get_name() + ":" + quoted(command->get_description()) + "'\n";
    cases += "    " + command->get_name() + ")\n      _arguments \\\n" + lines(*command, "        ") +
             "        '*:file:_files' ;;\n";
  }
  return "#compdef autoreload\n# SPDX-License-Identifier: MIT\n# Completion of autoreload for zsh.\n_autoreload() {\n  "
         "local context state line\n  typeset -A opt_args\n"
         "  local -a commands=(\n" +
         commands + "  )\n  _arguments -C \\\n" + lines(app, "    ") +
         "    '1:command:->command' '*::argument:->argument'\n"
         "  case $state in\n    command) _describe command commands ;;\n    argument) case $words[1] in\n" +
         cases + "    esac ;;\n  esac\n}\n_autoreload \"$@\"\n";
}

std::string fish(const CLI::App& app) {
  const auto line = [](const std::string& condition, const option_facts& option) {
    std::string text = "complete -c autoreload" + condition;
    for (const std::string& name : option.names)
      text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
    const std::string choices = choices_of(option);
    if (!choices.empty()) {
      text += " -x -a '" + choices + "'";
    } else if (takes_file(option)) {
      text += " -r -F";
    } else if (!option.value.empty()) {
      text += " -x";
    }
    return text + " -d '" + replaced(option.help, "'", "\\'") + "'\n";
  };
  std::string text = "# SPDX-License-Identifier: MIT\n# Completion of autoreload for fish.\n";
  for (const option_facts& option : options_of(app)) text += line("", option);
  for (const CLI::App* command : commands_of(app)) {
    text += "complete -c autoreload -n __fish_use_subcommand -f -a " + command->get_name() + " -d '" +
            replaced(command->get_description(), "'", "\\'") + "'\n";
    for (const option_facts& option : options_of(*command)) {
      text += line(" -n '__fish_seen_subcommand_from " + command->get_name() + "'", option);
    }
  }
  return text;
}

std::string manual(const CLI::App& app) {
  const auto plain = [](const std::string& text) { return replaced(replaced(text, "\\", "\\e"), "-", "\\-"); };
  const auto options = [&](const CLI::App& of) {
    std::string text;
    for (const option_facts& option : options_of(of)) {
      text += ".TP\n";
      for (std::size_t i = 0; i < option.names.size(); ++i) text += (i == 0 ? ".B " : ", ") + plain(option.names[i]);
      text += (option.value.empty() ? "" : " " + option.value) + "\n" + plain(option.help) + "\n";
    }
    return text;
  };
  std::string text = ".\\\" SPDX-License-Identifier: MIT\n.TH AUTORELOAD 1 \"\" \"autoreload " + app.version() +
                     "\" \"User Commands\"\n"
                     ".SH NAME\nautoreload \\- call, check and describe C libraries\n.SH SYNOPSIS\n";
  for (const CLI::App* command : commands_of(app)) {
    text += ".B autoreload " + command->get_name() + "\n[\\fIOPTIONS\\fR]";
    for (const CLI::Option* option : command->get_options()) {
      if (!option->get_positional()) continue;
      const bool many = option->get_expected_max() > 1;
      text += option->get_required() ? " \\fI" + option->get_name() + "\\fR" : " [\\fI" + option->get_name() + "\\fR]";
      text += many ? "..." : "";
    }
    text += "\n.br\n";
  }
  text += ".SH OPTIONS\n" + options(app);
  for (const CLI::App* command : commands_of(app)) {
    text += ".SH \"" + command->get_name() + "\"\n" + plain(command->get_description()) + ".\n";
    for (const CLI::Option* option : command->get_options()) {
      if (option->get_positional())
        text += ".TP\n.I " + option->get_name() + "\n" + plain(option->get_description()) + "\n";
    }
    text += options(*command);
  }
  text +=
      ".SH \"EXIT STATUS\"\n.TP\n.B 0\nAll is well.\n.TP\n.B 1\nThe library or an expression is wrong, or a check says "
      "no.\n.TP\n.B 2\nThe command line is wrong.\n"
      ".TP\n.B 3\nA call crashed, hung or ended the process.\n.SH ENVIRONMENT\n.TP\n.B NO_COLOR\nNo colours, unless "
      "\\-\\-color asks for them.\n"
      ".TP\n.B XDG_STATE_HOME\nWhere the lines of repl are kept, in autoreload/history; ~/.local/state if it is not "
      "set.\n"
      ".SH KEYS\nOf run on a terminal: b builds, h holds newer builds or goes on, r rolls back, f starts anew, q "
      "ends.\n";
  return text;
}

}  // namespace

int generate(const CLI::App& app, const std::string& what) {
  const std::string text = what == "bash"   ? bash(app)
                           : what == "zsh"  ? zsh(app)
                           : what == "fish" ? fish(app)
                                            : manual(app);
  return std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0 ? 1 : 0;
}

}  // namespace autoreload::command
