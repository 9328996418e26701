// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/trace_context.hpp"

#include <algorithm>

namespace penstock::proxy {

namespace {

constexpr std::size_t kVersionZero = 55;  // bytes

bool is_hex(char letter) { return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'f'); }

bool is_id(std::string_view text) { return std::all_of(text.begin(), text.end(), is_hex) && text.find_first_not_of('0') != std::string_view::npos; }

unsigned value_of(char digit) { return static_cast<unsigned>(digit <= '9' ? digit - '0' : digit - 'a' + 10); }

}  // namespace

std::optional<TraceParent> parse_traceparent(std::string_view text) {
    if (text.size() < kVersionZero || text[2] != '-' || text[35] != '-' || text[52] != '-') {
        return std::nullopt;
    }
    const std::string_view version = text.substr(0, 2);
    const std::string_view flags = text.substr(53, 2);
    if (!is_hex(version[0]) || !is_hex(version[1]) || version == "ff" || !is_hex(flags[0]) || !is_hex(flags[1])) {
        return std::nullopt;
    }
    if (text.size() > kVersionZero && (version == "00" || text[kVersionZero] != '-')) {
        return std::nullopt;
    }
    const TraceParent parent{text.substr(3, 32), text.substr(36, 16), (value_of(flags[1]) & 1) != 0};
    return is_id(parent.trace_id) && is_id(parent.parent_id) ? std::optional(parent) : std::nullopt;
}

std::optional<TraceParent> traceparent_of(const http::Headers& headers) {
    const auto text = headers.find("traceparent");
    return text && headers.count("traceparent") == 1 ? parse_traceparent(*text) : std::nullopt;
}

void Trace::set_number(std::size_t at, std::uint64_t number) {
    static constexpr char kDigits[] = "0123456789abcdef";
    number = std::max<std::uint64_t>(number, 1);
    for (std::size_t i = 0; i < 16; ++i) {
        text_[at + i] = kDigits[number >> (60 - 4 * i) & 15];
    }
}

void Trace::put(http::Headers& headers) const {
    headers.set("traceparent", {text_.data(), text_.size()});
    if (!has_parent_) {
        headers.remove("tracestate");
    }
}

}  // namespace penstock::proxy
