// SPDX-License-Identifier: Apache-2.0
#include "userspace/match/route_table.hpp"

#include <limits>

#include "userspace/match/expression_set.hpp"

namespace penstock::match {

namespace {
constexpr std::uint32_t kNobody = std::numeric_limits<std::uint32_t>::max();
}

RouteTable::RouteTable() : expressions_(std::make_unique<ExpressionSet>()) {}
RouteTable::~RouteTable() = default;

Result<std::shared_ptr<const RouteTable>> RouteTable::build(const fb::HostRoutes& part) {
    std::shared_ptr<RouteTable> table(new RouteTable);
    part.UnPackTo(&table->part_);
    table->conditions_.reserve(table->part_.matches.size());
    for (std::uint32_t number = 0; number < table->part_.matches.size(); ++number) {
        if (auto indexed = table->index(number); !indexed.ok()) {
            return std::move(indexed).error().in("match " + std::to_string(number) + " of host \"" + table->part_.hostname + "\"");
        }
    }
    table->paths_.for_each([&](Candidates& candidates) { candidates.index(table->part_.matches); });
    table->expressions_->compile();
    return std::shared_ptr<const RouteTable>(std::move(table));
}

Status RouteTable::index(std::uint32_t number) {
    const fb::MatchT& match = *part_.matches[number];
    if (match.rule >= part_.rules.size()) {
        return Error{.code = Errc::invalid, .what = "names rule " + std::to_string(match.rule) + ", which does not exist"};
    }
    PST_TRY_ASSIGN(auto conditions, Conditions::build(match));
    conditions_.push_back(std::move(conditions));
    if (match.path_match == fb::PathMatch::Regex) {
        return expressions_->add(match.path, number);
    }
    if (!match.path.starts_with('/')) {
        return Error{.code = Errc::invalid, .what = "path \"" + match.path + "\" does not start with a slash"};
    }
    (match.path_match == fb::PathMatch::Exact ? paths_.exact(match.path) : paths_.prefix(match.path)).add(number);
    return success();
}

void RouteTable::best_of(std::span<const std::uint32_t> numbers, const Request& request, std::uint32_t& best) const {
    for (const std::uint32_t number : numbers) {
        if (number > best) {
            return;
        }
        if (conditions_[number].hold(request)) {
            best = number;
            return;
        }
    }
}

std::optional<RouteTable::Found> RouteTable::find(const Request& request) const {
    std::uint32_t best = kNobody;
    paths_.visit(request.path, [&](const Candidates& candidates) {
        candidates.visit(request, [&](std::span<const std::uint32_t> numbers) { best_of(numbers, request, best); });
    });
    expressions_->visit(request.path, best, [&](std::uint32_t number) {
        const bool holds = conditions_[number].hold(request);
        best = holds ? number : best;
        return holds;
    });
    if (best == kNobody) {
        return std::nullopt;
    }
    return Found{best, part_.matches[best].get(), part_.matches[best]->rule};
}

}  // namespace penstock::match
