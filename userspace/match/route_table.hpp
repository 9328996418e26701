// SPDX-License-Identifier: Apache-2.0
// The rules of one host on one listener, built from a Host part: which rule serves a request. The order of the part's matches is the
// precedence; tables by path make the cost that of the request's path, not of the number of rules.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "schema/snapshot_generated.h"
#include "userspace/base/result.hpp"

namespace re2 {
class RE2;
}

namespace penstock::match {

namespace fb = penstock::snapshot;

// What of a request decides. `header` gives the value of a field by its lower-case name (repeated ones joined), or nothing.
struct Request {
    std::string_view method;
    std::string_view path;   // normalised, without the query
    std::string_view query;  // without "?"
    std::function<std::optional<std::string>(std::string_view)> header;
};

// The value of the first parameter of that name, as written; nothing if there is none.
std::optional<std::string_view> query_value(std::string_view query, std::string_view name);

class RouteTable {
public:
    // Fails with the match that is not valid: an index out of range, an expression that RE2 refuses.
    static Result<std::shared_ptr<const RouteTable>> build(const fb::HostRoutes& part);
    ~RouteTable();

    struct Found {
        std::uint32_t match = 0;  // index in the part, for traces
        const fb::MatchT* entry = nullptr;
        std::uint32_t rule = 0;
    };
    [[nodiscard]] std::optional<Found> find(const Request& request) const;

    [[nodiscard]] const std::vector<std::unique_ptr<fb::RuleT>>& rules() const { return part_.rules; }
    [[nodiscard]] const std::string& hostname() const { return part_.hostname; }

private:
    struct Test {  // a match's conditions beside the path
        std::vector<std::unique_ptr<re2::RE2>> headers;  // null: exact
        std::vector<std::unique_ptr<re2::RE2>> queries;
        std::unique_ptr<re2::RE2> path;
    };
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
    };
    using Bucket = std::vector<std::uint32_t>;  // indices of matches, rising
    using ByPath = std::unordered_map<std::string, Bucket, Hash, std::equal_to<>>;

    RouteTable() = default;
    Status index(std::uint32_t number);
    [[nodiscard]] bool holds(std::uint32_t number, const Request& request) const;
    void best_of(const Bucket& bucket, const Request& request, std::optional<std::uint32_t>& best) const;

    fb::HostRoutesT part_;
    std::vector<Test> tests_;
    ByPath exact_;
    ByPath prefixes_;   // "/" is kept as ""
    Bucket expressions_;
};

}  // namespace penstock::match
