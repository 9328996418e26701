// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/hostname.hpp"

#include <algorithm>
#include <vector>

#include "tools/test/catch.hpp"

namespace penstock::compile {

TEST_CASE("hostname: the intersection is the more specific of the two, whichever side it is on") {
    struct Row {
        const char* one;
        const char* other;
        const char* both;  // nullptr: none
    };
    const Row rows[] = {
        {"", "", ""},
        {"", "a.example.com", "a.example.com"},
        {"", "*.example.com", "*.example.com"},
        {"a.example.com", "a.example.com", "a.example.com"},
        {"a.example.com", "b.example.com", nullptr},
        {"very.specific.com", "*.specific.com", "very.specific.com"},
        {"*.specific.com", "specific.com", nullptr},
        {"*.specific.com", "a.b.specific.com", "a.b.specific.com"},
        {"*.specific.com", "notspecific.com", nullptr},
        {"*.example.com", "*.foo.example.com", "*.foo.example.com"},
        {"*.example.com", "*.example.com", "*.example.com"},
        {"*.com", "*.example.com", "*.example.com"},
        {"*.example.com", "*.example.org", nullptr},
    };
    for (const Row& row : rows) {
        INFO(row.one << " and " << row.other);
        const auto expected = row.both != nullptr ? std::optional<std::string>(row.both) : std::nullopt;
        CHECK(intersect(row.one, row.other) == expected);
        CHECK(intersect(row.other, row.one) == expected);
    }
}

TEST_CASE("hostname: exact comes before wildcards, longer before shorter, all comes last") {
    std::vector<std::string> names = {"", "*.com", "b.example.com", "*.example.com", "a.example.com", "long.example.com"};
    std::sort(names.begin(), names.end(), more_specific);
    CHECK(names == std::vector<std::string>{"long.example.com", "a.example.com", "b.example.com", "*.example.com", "*.com", ""});
}

}  // namespace penstock::compile
