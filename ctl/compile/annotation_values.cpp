// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/annotation_values.hpp"

#include <charconv>

namespace penstock::compile {
namespace {

constexpr std::uint64_t kMillion = 1'000'000;
constexpr std::size_t kFractionDigits = 4;  // of a percentage, in millionths

}  // namespace

std::optional<std::uint64_t> count_of(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

std::optional<std::uint64_t> bytes_of(std::string_view text) {
    unsigned shift = 0;
    for (const auto& [suffix, bits] : {std::pair(std::string_view("Ki"), 10U), {"Mi", 20U}, {"Gi", 30U}}) {
        if (text.ends_with(suffix)) {
            text.remove_suffix(suffix.size());
            shift = bits;
            break;
        }
    }
    const auto number = count_of(text);
    return number && *number <= UINT64_MAX >> shift ? std::optional(*number << shift) : std::nullopt;
}

std::optional<std::uint32_t> per_million_of(std::string_view text) {
    if (!text.ends_with('%')) {
        return std::nullopt;
    }
    text.remove_suffix(1);
    const std::size_t point = text.find('.');
    std::string digits(text.substr(0, point));
    std::string_view fraction = point == std::string_view::npos ? std::string_view() : text.substr(point + 1);
    if (digits.empty() || fraction.size() > kFractionDigits || (point != std::string_view::npos && fraction.empty())) {
        return std::nullopt;
    }
    digits.append(fraction).append(kFractionDigits - fraction.size(), '0');
    const auto number = count_of(digits);
    return number && *number <= kMillion ? std::optional(static_cast<std::uint32_t>(*number)) : std::nullopt;
}

std::vector<std::string> list_of(std::string_view text) {
    std::vector<std::string> parts;
    while (true) {
        const std::size_t comma = text.find(',');
        std::string_view part = text.substr(0, comma);
        while (part.starts_with(' ')) {
            part.remove_prefix(1);
        }
        while (part.ends_with(' ')) {
            part.remove_suffix(1);
        }
        parts.emplace_back(part);
        if (comma == std::string_view::npos) {
            return parts;
        }
        text.remove_prefix(comma + 1);
    }
}

}  // namespace penstock::compile
