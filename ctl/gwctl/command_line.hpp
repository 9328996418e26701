// SPDX-License-Identifier: Apache-2.0
// The command line, read by the tables of command.hpp.
#pragma once

#include <string>
#include <variant>

#include "ctl/gwctl/command.hpp"

namespace penstock::gwctl {

struct Invocation {
    const Command* command;
    Arguments arguments;
};

// What main does instead of running a command: text for stdout (--help, --version, --reference), else for stderr.
struct Leave {
    int exit_code = kYes;  // kYes or kUsage
    std::string text;
};

std::variant<Invocation, Leave> parse_command_line(int argc, const char* const* argv);

}  // namespace penstock::gwctl
