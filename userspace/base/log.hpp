// SPDX-License-Identifier: Apache-2.0
// One line per event to stderr: "level program: text". Never from a packet or request path; never with a secret.
#pragma once

#include <fmt/format.h>

#include <string_view>

namespace penstock::log {

enum class Level { debug, info, warn, error };

// Set once at start, before threads exist.
void set_program(std::string_view name);
void set_level(Level lowest);

void write(Level level, std::string_view text);

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::debug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::warn, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace penstock::log
