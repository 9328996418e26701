// SPDX-License-Identifier: Apache-2.0
// One route's rules in the snapshot's terms: matches with their place in the order of precedence, filters, weighted backends. Knows
// nothing of listeners. A rule with a value that we do not serve keeps its matches and answers 500, so that no request that was
// meant to be filtered or checked slips through to another rule.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ctl/compile/backends.hpp"
#include "ctl/compile/ids.hpp"
#include "ctl/compile/parts.hpp"
#include "ctl/compile/status.hpp"

namespace penstock::compile {

// What decides between two matches of one host, the smaller first. Ties are broken by the route (age, name) and the place in it.
struct MatchRank {
    std::uint8_t path_class = 2;        // 0 exact, 1 regular expression, 2 prefix
    std::uint32_t path_chars = 0;       // more first (GRPCRoute: of the service)
    std::uint32_t method_chars = 0;     // GRPCRoute: of the method; more first
    bool any_method = true;             // HTTPRoute: without a method comes later
    std::uint32_t headers = 0;          // more first
    std::uint32_t queries = 0;          // more first

    // Whether *this comes before `other`.
    [[nodiscard]] bool before(const MatchRank& other) const;
    [[nodiscard]] bool operator==(const MatchRank&) const = default;
};

struct RankedMatch {
    fb::MatchT match;  // .rule is the index in RouteRules.rules
    MatchRank rank;
};

struct RouteRules {
    std::vector<std::unique_ptr<fb::RuleT>> rules;
    std::vector<RankedMatch> matches;  // in the order of the route
    std::vector<std::string> ids;       // names that were numbered, to keep them in use
    std::map<std::string, SetUse> sets;  // that references resolved to, by key
    std::vector<std::string> services;   // "ns/name" of each reference, whether it resolves or not
    AnnotationFaults annotations;        // of the route, and of the Services that it refers to

    std::optional<Condition> unresolved;         // ResolvedRefs=False: the first reference that does not resolve
    std::optional<Condition> refused;            // Accepted=False: no rule is served as written
    std::optional<Condition> partially_invalid;  // some rules are not
    std::string remark;                          // of Accepted=True: what is there without effect
};


// Compiles the rules of one route. Numbers come from `ids`.
[[nodiscard]] RouteRules compile_rules(const Typed<model::HttpRoute>& route, const Backends& backends, IdTaker& ids);
[[nodiscard]] RouteRules compile_rules(const Typed<model::GrpcRoute>& route, const Backends& backends, IdTaker& ids);
[[nodiscard]] RouteRules compile_rules(const Typed<model::TlsRoute>& route, const Backends& backends, IdTaker& ids);
[[nodiscard]] RouteRules compile_rules(const Typed<model::TcpRoute>& route, const Backends& backends, IdTaker& ids);
[[nodiscard]] RouteRules compile_rules(const Typed<model::UdpRoute>& route, const Backends& backends, IdTaker& ids);

}  // namespace penstock::compile
