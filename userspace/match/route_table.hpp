// SPDX-License-Identifier: Apache-2.0
// The rules of one host on one listener, built from a Host part: which rule serves a request. The order of the part's matches is the
// precedence; tables by path, and by value where a path has many matches, make the cost that of the request, not of the number of rules. A host
// that has few matches, as most have, has no tables: they are tried one after the other.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "userspace/match/conditions.hpp"

namespace penstock::match {

class RouteTable {
public:
    // Copies `part`, the bytes of a HostRoutes that were verified. Fails with the match that is not valid: an index out of range, a path that
    // is none, an expression that RE2 refuses.
    static Result<std::shared_ptr<const RouteTable>> build(std::span<const std::uint8_t> part);
    ~RouteTable();

    struct Found {
        std::uint32_t match = 0;  // index in the part, for traces
        const fb::Match* entry = nullptr;
        std::uint32_t rule = 0;
    };
    [[nodiscard]] std::optional<Found> find(const Request& request) const;

    // All that there is to read, as long as this is.
    [[nodiscard]] const fb::HostRoutes& part() const { return *flatbuffers::GetRoot<fb::HostRoutes>(bytes_.get()); }

private:
    struct Index;  // by path

    RouteTable();
    Status add_conditions(const fb::Match& match);
    Status make_index();
    [[nodiscard]] bool holds(std::uint32_t number, const Request& request) const { return conditions_.empty() || conditions_[number].hold(request); }
    [[nodiscard]] std::uint32_t first(const Request& request) const;

    std::unique_ptr<const std::uint8_t[]> bytes_;
    std::vector<Conditions> conditions_;  // of each match; empty: none has any
    std::unique_ptr<const Index> index_;  // null: few, without expressions
};

}  // namespace penstock::match
