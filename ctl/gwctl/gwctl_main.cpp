// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <exception>

#include "ctl/gwctl/command_line.hpp"
#include "userspace/base/log.hpp"

namespace {

using namespace penstock;
using namespace penstock::gwctl;

int run(const Invocation& invocation) {
    auto code = invocation.command->run(invocation.arguments);
    if (code.ok()) {
        return *code;
    }
    std::fprintf(stderr, "%s\n", code.error().report().c_str());
    return kFailed;
}

}  // namespace

int main(int argc, char** argv) {
    penstock::log::set_program("gwctl");
    try {
        const auto parsed = parse_command_line(argc, argv);
        if (const auto* leave = std::get_if<Leave>(&parsed)) {
            std::fputs(leave->text.c_str(), leave->exit_code == kYes ? stdout : stderr);
            return leave->exit_code;
        }
        return run(std::get<Invocation>(parsed));
    } catch (const std::exception& bug) {
        std::fprintf(stderr, "error: %s\nhint: this is a bug of ours; please report it\n", bug.what());
        return kBug;
    }
}
