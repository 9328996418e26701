// SPDX-License-Identifier: Apache-2.0
#include "userspace/match/origins.hpp"

#include <algorithm>
#include <charconv>

namespace penstock::match {

namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_scheme(std::string_view text) {
    return !text.empty() && is_letter(text.front()) &&
           std::all_of(text.begin(), text.end(), [](char c) { return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.'; });
}
bool is_host(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '*' || c == '[' || c == ']' || c == ':';
    });
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }
bool same(std::string_view one, std::string_view other) {
    return std::equal(one.begin(), one.end(), other.begin(), other.end(), [](char a, char b) { return lower(a) == lower(b); });
}

std::uint16_t port_of_scheme(std::string_view scheme) {
    return same(scheme, "https") ? 443 : same(scheme, "http") ? 80 : 0;
}

bool ends_with_name(std::string_view host, std::string_view end) {
    return host.size() > end.size() && same(host.substr(host.size() - end.size()), end);
}

}  // namespace

bool is_preflight(const Request& request) {
    std::string room;
    return request.method == "OPTIONS" && request.fields.value("origin", room) && request.fields.value("access-control-request-method", room);
}

void Origins::add(std::string_view pattern) {
    Origin origin;
    any_ |= pattern == "*";
    if (parse(pattern, origin)) {
        patterns_.push_back(origin);
    }
}

// scheme://host[:port]
bool Origins::parse(std::string_view text, Origin& out) {
    const std::size_t scheme_end = text.find("://");
    if (scheme_end == std::string_view::npos) {
        return false;
    }
    out.scheme = text.substr(0, scheme_end);
    std::string_view rest = text.substr(scheme_end + 3);
    out.port = port_of_scheme(out.scheme);
    const std::size_t colon = rest.rfind(':');
    if (colon != std::string_view::npos && rest.find(']', colon) == std::string_view::npos) {
        const std::string_view digits = rest.substr(colon + 1);
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
        if (error != std::errc() || end != digits.data() + digits.size() || out.port == 0) {
            return false;
        }
        rest = rest.substr(0, colon);
    }
    out.host = rest;
    return is_scheme(out.scheme) && is_host(out.host);
}

bool Origins::fits(const Origin& pattern, const Origin& origin) {
    if (!same(pattern.scheme, origin.scheme) || pattern.port != origin.port) {
        return false;
    }
    // The star is greedy to the left: any number of labels, but at least one.
    return pattern.host == "*" || (pattern.host.starts_with("*.") && ends_with_name(origin.host, pattern.host.substr(1))) ||
           same(pattern.host, origin.host);
}

bool Origins::allow(std::string_view text) const {
    Origin origin;
    if (!(parse(text, origin) || text == "null") || origin.host.find('*') != std::string_view::npos) {
        return false;
    }
    return any_ || std::any_of(patterns_.begin(), patterns_.end(), [&](const Origin& pattern) { return fits(pattern, origin); });
}

}  // namespace penstock::match
