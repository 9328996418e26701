// SPDX-License-Identifier: Apache-2.0
// What one match asks of a request beside its path: method, header fields, query parameters, all of which must hold.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schema/views.hpp"
#include "userspace/base/result.hpp"

namespace re2 {
class RE2;
}

namespace penstock::match {

namespace fb = penstock::snapshot;

// The header fields of a request.
class Fields {
public:
    // The value of a field by its lower-case name, in `room` if it is joined of several; nothing if there is none.
    virtual std::optional<std::string_view> value(std::string_view name, std::string& room) const = 0;

protected:
    ~Fields() = default;
};

// What of a request decides.
struct Request {
    std::string_view method;
    std::string_view path;   // normalised, without the query
    std::string_view query;  // without "?"
    const Fields& fields;
};

// The value of the first parameter of that name, as written; nothing if there is none.
std::optional<std::string_view> query_value(std::string_view query, std::string_view name);

// Expressions are RE2's and must match the whole text.
Result<std::unique_ptr<re2::RE2>> expression(std::string_view text);
bool full_match(std::string_view text, const re2::RE2& pattern);

// Of a match: its headers, or its query parameters. Null: none.
using NamedMatches = flatbuffers::Vector<flatbuffers::Offset<fb::NamedMatch>>;

class Conditions {
public:
    // Views into `match`, which stays. Fails with the expression that RE2 refuses.
    static Result<Conditions> build(const fb::Match& match);
    Conditions(Conditions&&) noexcept;
    ~Conditions();
    [[nodiscard]] bool any() const { return !method_.empty() || !headers_.empty() || !queries_.empty(); }
    [[nodiscard]] bool hold(const Request& request) const;

private:
    struct Named {
        std::string_view name, value;
        std::unique_ptr<re2::RE2> pattern;  // null: exact
    };
    Conditions() = default;
    static Status build(const NamedMatches* matches, std::vector<Named>& out);
    static bool holds(std::optional<std::string_view> value, const Named& wanted);

    std::string_view method_;  // empty: any
    std::vector<Named> headers_, queries_;
};

}  // namespace penstock::match
