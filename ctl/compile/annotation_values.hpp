// SPDX-License-Identifier: Apache-2.0
// The values of our annotations and options: numbers, sizes, durations, percentages, words. Each reader gives nothing for a text that is
// none; bounds are the caller's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::compile {

[[nodiscard]] std::optional<std::uint64_t> count_of(std::string_view text);        // decimal digits alone
[[nodiscard]] std::optional<std::uint64_t> bytes_of(std::string_view text);        // "4096", "64Ki", "10Mi", "1Gi"
[[nodiscard]] std::optional<std::uint32_t> per_million_of(std::string_view text);  // "100%", "0.25%": up to four digits behind the point

// Parts between commas, without the blanks around them; empty parts stay.
[[nodiscard]] std::vector<std::string> list_of(std::string_view text);

}  // namespace penstock::compile
