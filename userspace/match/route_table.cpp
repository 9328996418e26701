// SPDX-License-Identifier: Apache-2.0
#include "userspace/match/route_table.hpp"

#include <re2/re2.h>

#include <algorithm>

namespace penstock::match {

namespace {

Result<std::unique_ptr<re2::RE2>> expression(const std::string& text) {
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(1 << 20);
    auto compiled = std::make_unique<re2::RE2>(text, options);
    if (!compiled->ok()) {
        return Error{.code = Errc::invalid, .what = "expression \"" + text + "\": " + compiled->error()};
    }
    return compiled;
}

Status expressions(const std::vector<std::unique_ptr<fb::NamedMatchT>>& matches, std::vector<std::unique_ptr<re2::RE2>>& out) {
    for (const auto& match : matches) {
        out.emplace_back();
        if (match->match == fb::ValueMatch::Regex) {
            PST_TRY_ASSIGN(out.back(), expression(match->value));
        }
    }
    return success();
}

bool full_match(std::string_view text, const re2::RE2& pattern) {
    return re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), pattern);
}

bool value_holds(std::string_view value, const fb::NamedMatchT& match, const re2::RE2* pattern) {
    return pattern != nullptr ? full_match(value, *pattern) : value == match.value;
}

}  // namespace

std::optional<std::string_view> query_value(std::string_view query, std::string_view name) {
    while (!query.empty()) {
        const std::size_t end = query.find('&');
        const std::string_view pair = query.substr(0, end);
        const std::size_t equals = pair.find('=');
        if (pair.substr(0, equals) == name) {
            return equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
        }
        query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    }
    return std::nullopt;
}

RouteTable::~RouteTable() = default;

Result<std::shared_ptr<const RouteTable>> RouteTable::build(const fb::HostRoutes& part) {
    std::shared_ptr<RouteTable> table(new RouteTable);
    part.UnPackTo(&table->part_);
    for (std::uint32_t number = 0; number < table->part_.matches.size(); ++number) {
        if (auto indexed = table->index(number); !indexed.ok()) {
            return std::move(indexed).error().in("match " + std::to_string(number) + " of host \"" + table->part_.hostname + "\"");
        }
    }
    return std::shared_ptr<const RouteTable>(std::move(table));
}

Status RouteTable::index(std::uint32_t number) {
    const fb::MatchT& match = *part_.matches[number];
    if (match.rule >= part_.rules.size()) {
        return Error{.code = Errc::invalid, .what = "names rule " + std::to_string(match.rule) + ", which does not exist"};
    }
    Test& test = tests_.emplace_back();
    PST_TRY(expressions(match.headers, test.headers));
    PST_TRY(expressions(match.query, test.queries));
    switch (match.path_match) {
        case fb::PathMatch::Exact: exact_[match.path].push_back(number); break;
        case fb::PathMatch::Prefix: prefixes_[match.path == "/" ? "" : match.path].push_back(number); break;
        case fb::PathMatch::Regex: {
            PST_TRY_ASSIGN(test.path, expression(match.path));
            expressions_.push_back(number);
            break;
        }
    }
    return success();
}

bool RouteTable::holds(std::uint32_t number, const Request& request) const {
    const fb::MatchT& match = *part_.matches[number];
    const Test& test = tests_[number];
    if (!match.method.empty() && match.method != request.method) {
        return false;
    }
    if (test.path != nullptr && !full_match(request.path, *test.path)) {
        return false;
    }
    for (std::size_t i = 0; i < match.headers.size(); ++i) {
        const auto value = request.header(match.headers[i]->name);
        if (!value || !value_holds(*value, *match.headers[i], test.headers[i].get())) {
            return false;
        }
    }
    for (std::size_t i = 0; i < match.query.size(); ++i) {
        const auto value = query_value(request.query, match.query[i]->name);
        if (!value || !value_holds(*value, *match.query[i], test.queries[i].get())) {
            return false;
        }
    }
    return true;
}

void RouteTable::best_of(const Bucket& bucket, const Request& request, std::optional<std::uint32_t>& best) const {
    for (const std::uint32_t number : bucket) {
        if (best && number > *best) {
            return;
        }
        if (holds(number, request)) {
            best = number;
            return;
        }
    }
}

std::optional<RouteTable::Found> RouteTable::find(const Request& request) const {
    std::optional<std::uint32_t> best;
    if (const auto found = exact_.find(request.path); found != exact_.end()) {
        best_of(found->second, request, best);
    }
    // Prefixes end where an element ends: "/a/b" has "", "/a" and "/a/b"; a slash at the end adds no element.
    std::string_view prefix = request.path;
    while (!prefixes_.empty()) {
        if (const auto found = prefixes_.find(prefix); found != prefixes_.end()) {
            best_of(found->second, request, best);
        }
        const std::size_t slash = prefix.rfind('/');
        if (prefix.empty() || slash == std::string_view::npos) {
            break;
        }
        prefix = prefix.substr(0, slash);
    }
    best_of(expressions_, request, best);
    if (!best) {
        return std::nullopt;
    }
    return Found{*best, part_.matches[*best].get(), part_.matches[*best]->rule};
}

}  // namespace penstock::match
