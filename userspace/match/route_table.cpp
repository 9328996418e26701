// SPDX-License-Identifier: Apache-2.0
#include "userspace/match/route_table.hpp"

#include <algorithm>
#include <limits>

#include "userspace/match/candidates.hpp"
#include "userspace/match/expression_set.hpp"
#include "userspace/match/path_trie.hpp"

namespace penstock::match {

namespace {

constexpr std::uint32_t kNobody = std::numeric_limits<std::uint32_t>::max();
constexpr std::size_t kFew = 4;

Error in_match(Error error, std::size_t number, const std::string& hostname) { return std::move(error).in("match " + std::to_string(number) + " of host \"" + hostname + "\""); }

Status check(const fb::MatchT& match, std::size_t rules) {
    if (match.rule >= rules) {
        return Error{.code = Errc::invalid, .what = "names rule " + std::to_string(match.rule) + ", which does not exist"};
    }
    if (match.path_match != fb::PathMatch::Regex && !match.path.starts_with('/')) {
        return Error{.code = Errc::invalid, .what = "path \"" + match.path + "\" does not start with a slash"};
    }
    return success();
}

// Of a match without an expression: exact, or whole elements of a prefix.
bool fits(const fb::MatchT& match, std::string_view path) {
    if (match.path_match == fb::PathMatch::Exact) {
        return path == match.path;
    }
    const std::size_t size = match.path == "/" ? 0 : match.path.size();
    return path.starts_with('/') && path.starts_with(std::string_view(match.path).substr(0, size)) && (path.size() == size || path[size] == '/');
}

}  // namespace

struct RouteTable::Index {
    PathTrie<Candidates> paths;
    ExpressionSet expressions;
};

RouteTable::RouteTable() = default;
RouteTable::~RouteTable() = default;

Result<std::shared_ptr<const RouteTable>> RouteTable::build(const fb::HostRoutes& part) {
    struct Made : RouteTable {};  // for one allocation of both
    auto table = std::make_shared<Made>();
    part.UnPackTo(&table->part_);
    const auto& matches = table->part_.matches;
    for (std::size_t number = 0; number < matches.size(); ++number) {
        auto added = check(*matches[number], table->part_.rules.size());
        if (added.ok()) {
            added = table->add_conditions(*matches[number]);
        }
        if (!added.ok()) {
            return in_match(std::move(added).error(), number, table->part_.hostname);
        }
    }
    if (std::none_of(table->conditions_.begin(), table->conditions_.end(), [](const Conditions& one) { return one.any(); })) {
        std::vector<Conditions>().swap(table->conditions_);
    }
    const bool regex = std::any_of(matches.begin(), matches.end(), [](const auto& match) { return match->path_match == fb::PathMatch::Regex; });
    if (regex || matches.size() > kFew) {
        PST_TRY(table->make_index());
    }
    return std::shared_ptr<const RouteTable>(std::move(table));
}

Status RouteTable::add_conditions(const fb::MatchT& match) {
    PST_TRY_ASSIGN(auto conditions, Conditions::build(match));
    conditions_.reserve(part_.matches.size());
    conditions_.push_back(std::move(conditions));
    return success();
}

Status RouteTable::make_index() {
    auto index = std::make_unique<Index>();
    for (std::uint32_t number = 0; number < part_.matches.size(); ++number) {
        const fb::MatchT& match = *part_.matches[number];
        if (match.path_match != fb::PathMatch::Regex) {
            (match.path_match == fb::PathMatch::Exact ? index->paths.exact(match.path) : index->paths.prefix(match.path)).add(number);
        } else if (auto added = index->expressions.add(match.path, number); !added.ok()) {
            return in_match(std::move(added).error(), number, part_.hostname);
        }
    }
    index->paths.for_each([&](Candidates& candidates) { candidates.index(part_.matches); });
    index->expressions.compile();
    index_ = std::move(index);
    return success();
}

// The number of the first match that holds.
std::uint32_t RouteTable::first(const Request& request) const {
    std::uint32_t best = kNobody;
    if (index_ == nullptr) {
        for (std::uint32_t number = 0; number < part_.matches.size(); ++number) {
            if (fits(*part_.matches[number], request.path) && holds(number, request)) {
                return number;
            }
        }
        return kNobody;
    }
    const auto best_of = [&](std::span<const std::uint32_t> numbers) {
        for (const std::uint32_t number : numbers) {
            if (number > best) {
                return;
            }
            if (holds(number, request)) {
                best = number;
                return;
            }
        }
    };
    index_->paths.visit(request.path, [&](const Candidates& candidates) { candidates.visit(request, best_of); });
    index_->expressions.visit(request.path, best, [&](std::uint32_t number) {
        const bool found = holds(number, request);
        best = found ? number : best;
        return found;
    });
    return best;
}

std::optional<RouteTable::Found> RouteTable::find(const Request& request) const {
    const std::uint32_t number = first(request);
    if (number == kNobody) {
        return std::nullopt;
    }
    return Found{number, part_.matches[number].get(), part_.matches[number]->rule};
}

}  // namespace penstock::match
