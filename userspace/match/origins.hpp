// SPDX-License-Identifier: Apache-2.0
// What of a cross-origin request decides who answers it (Gateway API GEP-1767, Fetch 3.2): whether it is a preflight, and whether a filter
// allows the origin that it comes from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/match/conditions.hpp"

namespace penstock::match {

// Whether the request asks for permission of another one: OPTIONS with Origin and Access-Control-Request-Method.
[[nodiscard]] bool is_preflight(const Request& request);

// The origins that a CORS filter allows.
class Origins {
public:
    // "*", "https://a.example", "https://*.example". Views into `patterns`, which stay; what is no origin allows none.
    template <class Patterns>
    explicit Origins(const Patterns& patterns) {
        for (const auto& text : patterns) {
            add(text_of(text));
        }
    }
    // `text`: the value of the field Origin.
    [[nodiscard]] bool allow(std::string_view text) const;

private:
    struct Origin {
        std::string_view scheme, host;  // host: "*", "*.example.com" or a name
        std::uint16_t port = 0;         // 0: not given, and the scheme has none of its own
    };
    static std::string_view text_of(const std::string& text) { return text; }
    static std::string_view text_of(const flatbuffers::String* text) { return text->string_view(); }
    static bool parse(std::string_view text, Origin& out);
    static bool fits(const Origin& pattern, const Origin& origin);
    void add(std::string_view pattern);

    bool any_ = false;
    std::vector<Origin> patterns_;
};

}  // namespace penstock::match
