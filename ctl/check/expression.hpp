// SPDX-License-Identifier: Apache-2.0
// Is a regular expression one that the worker can run? RE2 syntax, bounded in length and in compiled size. Pure.
#pragma once

#include <string_view>

#include "userspace/base/result.hpp"

namespace penstock::check {

// Errc::invalid with RE2's own sentence if not.
[[nodiscard]] Status check_expression(std::string_view pattern);

}  // namespace penstock::check
