// SPDX-License-Identifier: Apache-2.0
#include "ctl/model/yaml_scalar.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>

namespace penstock::model {
namespace {

bool is_one_of(std::string_view text, const std::array<std::string_view, 3>& words) {
    return std::find(words.begin(), words.end(), text) != words.end();
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::size_t digits_from(std::string_view text, std::size_t at) {
    std::size_t end = at;
    while (end < text.size() && is_digit(text[end])) {
        ++end;
    }
    return end - at;
}

struct NumberShape {
    bool whole = false;
    bool valid = false;
};

// [-+]? digits [. digits] [e [-+] digits], without leading zeros.
NumberShape shape_of(std::string_view text) {
    std::size_t at = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
    const std::size_t whole = digits_from(text, at);
    if (whole > 1 && text[at] == '0') {
        return {};
    }
    at += whole;
    NumberShape shape{true, whole > 0};
    if (at < text.size() && text[at] == '.') {
        const std::size_t fraction = digits_from(text, at + 1);
        shape = {false, whole + fraction > 0};
        at += 1 + fraction;
    }
    if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
        ++at;
        at += at < text.size() && (text[at] == '-' || text[at] == '+') ? 1 : 0;
        const std::size_t exponent = digits_from(text, at);
        shape = {false, shape.valid && exponent > 0};
        at += exponent;
    }
    shape.valid = shape.valid && at == text.size();
    return shape;
}

std::optional<std::int64_t> integer_of(std::string_view text, int base) {
    std::int64_t value = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    return fault == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

std::optional<Value> number_of(std::string_view text, int line) {
    if (text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'o') && text[2] != '-') {
        const auto value = integer_of(text.substr(2), text[1] == 'x' ? 16 : 8);
        return value ? std::optional(Value::integer(*value, line)) : std::nullopt;
    }
    const NumberShape shape = shape_of(text);
    if (!shape.valid) {
        return std::nullopt;
    }
    const std::string_view digits = text[0] == '+' ? text.substr(1) : text;
    if (shape.whole) {
        if (const auto value = integer_of(digits, 10)) {
            return Value::integer(*value, line);
        }
    }
    double value = 0;
    const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    const bool good = fault == std::errc() && end == digits.data() + digits.size() && std::isfinite(value);
    return good ? std::optional(Value::number(value, line)) : std::nullopt;
}

}  // namespace

Value plain_scalar(const std::string& text, int line) {
    if (text.empty() || text == "~" || is_one_of(text, {"null", "Null", "NULL"})) {
        return Value::null(line);
    }
    if (is_one_of(text, {"true", "True", "TRUE"}) || is_one_of(text, {"false", "False", "FALSE"})) {
        return Value::boolean(text[0] == 't' || text[0] == 'T', line);
    }
    if (auto number = number_of(text, line)) {
        return *number;
    }
    return Value::string(text, line);
}

}  // namespace penstock::model
