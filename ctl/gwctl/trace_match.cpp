// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/trace_match.hpp"

#include <array>
#include <string_view>
#include <tuple>

#include "schema/packed.hpp"

namespace penstock::gwctl {

namespace {

constexpr int kExact = 0, kExpression = 1, kPrefix = 2;

// GRPCRoutes that name only a method are expressions for the table, and prefixes by their rank.
constexpr std::string_view kAnyService = "/[^/]+/";

struct Rank {
    int path_class;
    std::size_t path_chars;
    bool method;
    std::size_t headers, queries;
};

Rank rank_of(const fb::HostRoutesT& host, const fb::MatchT& match) {
    const bool any_service = host.rules[match.rule]->grpc && match.path_match == fb::PathMatch::Regex && match.path.starts_with(kAnyService);
    const int path_class = match.path_match == fb::PathMatch::Exact ? kExact : match.path_match == fb::PathMatch::Regex && !any_service ? kExpression : kPrefix;
    return {path_class, any_service ? 0 : match.path.size(), !match.method.empty(), match.headers.size(), match.query.size()};
}

fb::MatchT path_only(const fb::MatchT& match) {
    fb::MatchT out;
    out.path_match = match.path_match;
    out.path = match.path;
    return out;
}

Result<bool> path_holds(const fb::MatchT& match, const match::Request& request) {
    fb::HostRoutesT host;
    host.matches.push_back(std::make_unique<fb::MatchT>(path_only(match)));
    host.rules.push_back(std::make_unique<fb::RuleT>());
    host.rules[0]->object = std::make_unique<fb::ObjectRefT>();
    PST_TRY_ASSIGN(const auto table, match::RouteTable::build(fb::Packed(host).bytes()));
    return table->find(request).has_value();
}

Result<bool> holds(const fb::MatchT& one_condition, const match::Request& request) {
    const fb::Packed packed(one_condition);
    PST_TRY_ASSIGN(const auto conditions, match::Conditions::build(*packed));
    return conditions.hold(request);
}

// The name of the first of them that does not hold.
Result<std::string> failing(const std::vector<std::unique_ptr<fb::NamedMatchT>>& list, std::vector<std::unique_ptr<fb::NamedMatchT>> fb::MatchT::*where,
                            const match::Request& request) {
    for (const auto& named : list) {
        fb::MatchT one;
        (one.*where).push_back(std::make_unique<fb::NamedMatchT>(*named));
        PST_TRY_ASSIGN(const bool good, holds(one, request));
        if (!good) {
            return named->name;
        }
    }
    return std::string();
}

}  // namespace

Result<std::string> failing_condition(const fb::MatchT& match, const match::Request& request) {
    PST_TRY_ASSIGN(const bool path, path_holds(match, request));
    if (!path) {
        return std::string("path");
    }
    if (!match.method.empty() && match.method != request.method) {
        return "method " + match.method;
    }
    PST_TRY_ASSIGN(const std::string header, failing(match.headers, &fb::MatchT::headers, request));
    if (!header.empty()) {
        return "header " + header;
    }
    PST_TRY_ASSIGN(const std::string query, failing(match.query, &fb::MatchT::query, request));
    return query.empty() ? std::string() : "query " + query;
}

std::string precedence_step(const fb::HostRoutesT& host, const fb::MatchT& first, const fb::MatchT& second) {
    const Rank one = rank_of(host, first);
    const Rank other = rank_of(host, second);
    struct Step {
        bool before;
        const char* name;
    };
    const std::array<Step, 6> steps = {{
        {first.own < second.own, "its route's own host name is more specific"},
        {one.path_class < other.path_class, one.path_class == kExact ? "an exact path" : "an expression before a prefix"},
        {one.path_chars > other.path_chars, "the longer path"},
        {one.method && !other.method, "it names the method"},
        {one.headers > other.headers, "more header conditions"},
        {one.queries > other.queries, "more query conditions"},
    }};
    for (const Step& step : steps) {
        if (step.before) {
            return step.name;
        }
    }
    const fb::ObjectRefT& mine = *host.rules[first.rule]->object;
    const fb::ObjectRefT& theirs = *host.rules[second.rule]->object;
    return std::tie(mine.kind, mine.namespace_, mine.name) == std::tie(theirs.kind, theirs.namespace_, theirs.name) ? "its place in the route" : "the older route, or the name before it";
}

}  // namespace penstock::gwctl
