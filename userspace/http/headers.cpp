// SPDX-License-Identifier: Apache-2.0
#include "userspace/http/headers.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace penstock::http {

namespace {

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

// RFC 9110 7.6.1: for one connection only. What Connection names comes on top.
bool hop_by_hop(std::string_view name) {
    switch (name.size()) {
        case 2: return equals_ignoring_case(name, "te");
        case 7: return equals_ignoring_case(name, "upgrade");
        case 10: return equals_ignoring_case(name, "connection") || equals_ignoring_case(name, "keep-alive");
        case 16: return equals_ignoring_case(name, "proxy-connection");
        case 17: return equals_ignoring_case(name, "transfer-encoding");
        default: return false;
    }
}

// A client must not be able to take these from what follows, by naming them in Connection.
constexpr std::array<std::string_view, 2> kKept = {"host", "content-length"};

bool one_of(std::string_view name, std::span<const std::string_view> names) {
    return std::any_of(names.begin(), names.end(), [name](std::string_view n) { return equals_ignoring_case(n, name); });
}

}  // namespace

bool same_letters(const char* a, const char* b, std::size_t size) {
    for (std::size_t i = 0; i < size; i++) {
        if (a[i] != b[i] && lower(a[i]) != lower(b[i])) {
            return false;
        }
    }
    return true;
}

bool list_has(std::string_view list, std::string_view token) {
    bool found = false;
    for_each_token(list, [&](std::string_view one) { found = found || equals_ignoring_case(one, token); });
    return found;
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

void Headers::remove_underscored(std::string_view name) {
    const auto is_other_spelling = [name](const Header& field) {
        if (field.name.size() != name.size() || field.name.find('_') == std::string_view::npos || equals_ignoring_case(field.name, name)) {
            return false;
        }
        std::string hyphened(field.name);
        std::replace(hyphened.begin(), hyphened.end(), '_', '-');
        return equals_ignoring_case(hyphened, name);
    };
    std::erase_if(fields_, is_other_spelling);
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

std::optional<std::string_view> Headers::joined(std::string_view name, std::string& room) const {
    std::optional<std::string_view> all;
    for (const Header& field : fields_) {
        if (!equals_ignoring_case(field.name, name)) {
            continue;
        }
        if (!all) {
            all = field.value;
            continue;
        }
        if (all->data() != room.data()) {
            room = *all;
        }
        room.append(equals_ignoring_case(name, "cookie") ? "; " : ", ").append(field.value);
        all = room;
    }
    return all;
}

bool Headers::has_token(std::string_view name, std::string_view token) const {
    return std::any_of(fields_.begin(), fields_.end(),
                       [&](const Header& field) { return equals_ignoring_case(field.name, name) && list_has(field.value, token); });
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
    std::erase_if(fields_, [&](const Header& field) { return hop_by_hop(field.name) || one_of(field.name, named); });
}

}  // namespace penstock::http
