// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/log.hpp"

#include <unistd.h>

#include <array>
#include <string>

namespace penstock::log {

namespace {
std::string program = "penstock";
Level lowest_level = Level::info;
constexpr std::array<std::string_view, 4> kNames = {"debug", "info", "warn", "error"};
}  // namespace

void set_program(std::string_view name) { program = name; }
void set_level(Level lowest) { lowest_level = lowest; }

void write(Level level, std::string_view text) {
    if (level < lowest_level) {
        return;
    }
    const std::string line = fmt::format("{} {}: {}\n", kNames[static_cast<std::size_t>(level)], program, text);
    // One write, so lines of several processes on one stderr do not mix. A full pipe loses the line, not the process.
    [[maybe_unused]] const ssize_t wrote = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace penstock::log
