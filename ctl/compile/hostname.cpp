// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/hostname.hpp"

#include <algorithm>
#include <tuple>

namespace penstock::compile {
namespace {

bool is_wildcard(std::string_view name) { return name.starts_with("*."); }

// 0 exact, 1 wildcard, 2 all
int rank(std::string_view name) { return name.empty() ? 2 : is_wildcard(name) ? 1 : 0; }

}  // namespace

bool covers(std::string_view pattern, std::string_view name) {
    if (pattern.empty() || pattern == name) {
        return true;
    }
    // "*.x" covers "a.x" and the narrower "*.a.x": both end in ".x" with something before it.
    const std::string_view suffix = is_wildcard(pattern) ? pattern.substr(1) : std::string_view();
    return !suffix.empty() && name.size() > suffix.size() && name.ends_with(suffix);
}

std::optional<std::string> intersect(std::string_view one, std::string_view other) {
    if (covers(one, other) && (!other.empty() || one.empty())) {
        return std::string(other);
    }
    if (covers(other, one)) {
        return std::string(one);
    }
    return std::nullopt;
}

bool more_specific(std::string_view one, std::string_view other) {
    return std::tuple(rank(one), other.size(), one) < std::tuple(rank(other), one.size(), other);
}

}  // namespace penstock::compile
