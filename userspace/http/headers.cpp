// SPDX-License-Identifier: Apache-2.0
#include "userspace/http/headers.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace penstock::http {

namespace {

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

// RFC 9110 7.6.1: for one connection only. Connection itself and what it names come on top.
constexpr std::array<std::string_view, 6> kHopByHop = {"connection", "keep-alive", "proxy-connection",
                                                       "te",         "upgrade",    "transfer-encoding"};
// A client must not be able to take these from what follows, by naming them in Connection.
constexpr std::array<std::string_view, 2> kKept = {"host", "content-length"};

bool one_of(std::string_view name, std::span<const std::string_view> names) {
    return std::any_of(names.begin(), names.end(), [name](std::string_view n) { return equals_ignoring_case(n, name); });
}

}  // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

void Headers::set(std::string_view name, std::string_view value) {
    bool done = false;
    std::erase_if(fields_, [&](Header& field) {
        if (!equals_ignoring_case(field.name, name)) {
            return false;
        }
        if (done) {
            return true;
        }
        field = {name, value};
        done = true;
        return false;
    });
    if (!done) {
        add(name, value);
    }
}

void Headers::remove(std::string_view name) {
    std::erase_if(fields_, [name](const Header& field) { return equals_ignoring_case(field.name, name); });
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
    for (const Header& field : fields_) {
        if (equals_ignoring_case(field.name, name)) {
            return field.value;
        }
    }
    return std::nullopt;
}

std::size_t Headers::count(std::string_view name) const {
    return static_cast<std::size_t>(std::count_if(
        fields_.begin(), fields_.end(), [name](const Header& field) { return equals_ignoring_case(field.name, name); }));
}

std::optional<std::string> Headers::joined(std::string_view name) const {
    const std::string_view separator = equals_ignoring_case(name, "cookie") ? "; " : ", ";
    std::optional<std::string> all;
    for (const Header& field : fields_) {
        if (!equals_ignoring_case(field.name, name)) {
            continue;
        }
        if (!all) {
            all.emplace(field.value);
        } else {
            all->append(separator).append(field.value);
        }
    }
    return all;
}

bool Headers::has_token(std::string_view name, std::string_view token) const {
    bool found = false;
    for (const Header& field : fields_) {
        if (equals_ignoring_case(field.name, name)) {
            for_each_token(field.value, [&](std::string_view t) { found = found || equals_ignoring_case(t, token); });
        }
    }
    return found;
}

void Headers::remove_hop_by_hop() {
    std::vector<std::string_view> named;
    for (const Header& field : fields_) {
        if (equals_ignoring_case(field.name, "connection")) {
            for_each_token(field.value, [&](std::string_view token) {
                if (!one_of(token, kKept)) {
                    named.push_back(token);
                }
            });
        }
    }
    std::erase_if(fields_, [&](const Header& field) { return one_of(field.name, kHopByHop) || one_of(field.name, named); });
}

}  // namespace penstock::http
