// SPDX-License-Identifier: Apache-2.0
// The rules of one host on one listener, built from a Host part: which rule serves a request. The order of the part's matches is the
// precedence; tables by path, and by value where a path has many matches, make the cost that of the request, not of the number of rules. A host
// that has few matches, as most have, has no tables: they are tried one after the other.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "userspace/match/conditions.hpp"

namespace penstock::match {

class RouteTable {
public:
    // Fails with the match that is not valid: an index out of range, a path that is none, an expression that RE2 refuses.
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
    struct Index;  // by path

    RouteTable();
    Status add_conditions(const fb::MatchT& match);
    Status make_index();
    [[nodiscard]] bool holds(std::uint32_t number, const Request& request) const { return conditions_.empty() || conditions_[number].hold(request); }
    [[nodiscard]] std::uint32_t first(const Request& request) const;

    fb::HostRoutesT part_;
    std::vector<Conditions> conditions_;  // of each match; empty: none has any
    std::unique_ptr<const Index> index_;  // null: few, without expressions
};

}  // namespace penstock::match
