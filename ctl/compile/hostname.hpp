// SPDX-License-Identifier: Apache-2.0
// Host names of listeners and routes: exact, "*.suffix" (one or more labels before it, never the apex), or "" for all. Lower case
// throughout; validity is ctl/model's affair.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace penstock::compile {

// What both accept: the more specific of the two, or nothing.
[[nodiscard]] std::optional<std::string> intersect(std::string_view one, std::string_view other);

// Does the name pattern accept this exact name? For certificates and for overlaps.
[[nodiscard]] bool covers(std::string_view pattern, std::string_view name);

// Order of precedence: exact before wildcard before all; then more characters; then by text, to be total.
[[nodiscard]] bool more_specific(std::string_view one, std::string_view other);

}  // namespace penstock::compile
