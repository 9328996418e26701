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

Error in_match(Error error, std::size_t number, const fb::HostRoutes& part) { return std::move(error).in("match " + std::to_string(number) + " of host \"" + part.hostname()->str() + "\""); }

Status check(const fb::Match& match, std::size_t rules) {
    if (match.rule() >= rules) {
        return Error{.code = Errc::invalid, .what = "names rule " + std::to_string(match.rule()) + ", which does not exist"};
    }
    if (match.path_match() != fb::PathMatch::Regex && !match.path()->string_view().starts_with('/')) {
        return Error{.code = Errc::invalid, .what = "path \"" + match.path()->str() + "\" does not start with a slash"};
    }
    return success();
}

// Of a match without an expression: exact, or whole elements of a prefix.
bool fits(const fb::Match& match, std::string_view path) {
    const std::string_view wanted = match.path()->string_view();
    if (match.path_match() == fb::PathMatch::Exact) {
        return path == wanted;
    }
    const std::size_t size = wanted == "/" ? 0 : wanted.size();
    return path.starts_with('/') && path.starts_with(wanted.substr(0, size)) && (path.size() == size || path[size] == '/');
}

}  // namespace

struct RouteTable::Index {
    PathTrie<Candidates> paths;
    ExpressionSet expressions;
};

RouteTable::RouteTable() = default;
RouteTable::~RouteTable() = default;

Result<std::shared_ptr<const RouteTable>> RouteTable::build(std::span<const std::uint8_t> part) {
    struct Made : RouteTable {};  // for one allocation of both
    auto table = std::make_shared<Made>();
    auto bytes = std::make_unique<std::uint8_t[]>(part.size());
    std::copy(part.begin(), part.end(), bytes.get());
    table->bytes_ = std::move(bytes);
    const Matches& matches = *table->part().matches();
    for (std::uint32_t number = 0; number < matches.size(); ++number) {
        auto added = check(*matches[number], table->part().rules()->size());
        if (added.ok()) {
            added = table->add_conditions(*matches[number]);
        }
        if (!added.ok()) {
            return in_match(std::move(added).error(), number, table->part());
        }
    }
    if (std::none_of(table->conditions_.begin(), table->conditions_.end(), [](const Conditions& one) { return one.any(); })) {
        std::vector<Conditions>().swap(table->conditions_);
    }
    const bool regex = std::any_of(matches.begin(), matches.end(), [](const fb::Match* match) { return match->path_match() == fb::PathMatch::Regex; });
    if (regex || matches.size() > kFew) {
        PST_TRY(table->make_index());
    }
    return std::shared_ptr<const RouteTable>(std::move(table));
}

Status RouteTable::add_conditions(const fb::Match& match) {
    PST_TRY_ASSIGN(auto conditions, Conditions::build(match));
    conditions_.reserve(part().matches()->size());
    conditions_.push_back(std::move(conditions));
    return success();
}

Status RouteTable::make_index() {
    auto index = std::make_unique<Index>();
    const Matches& matches = *part().matches();
    for (std::uint32_t number = 0; number < matches.size(); ++number) {
        const fb::PathMatch kind = matches[number]->path_match();
        const std::string_view path = matches[number]->path()->string_view();
        if (kind != fb::PathMatch::Regex) {
            (kind == fb::PathMatch::Exact ? index->paths.exact(path) : index->paths.prefix(path)).add(number);
        } else if (auto added = index->expressions.add(path, number); !added.ok()) {
            return in_match(std::move(added).error(), number, part());
        }
    }
    index->paths.for_each([&](Candidates& candidates) { candidates.index(matches); });
    index->expressions.compile();
    index_ = std::move(index);
    return success();
}

// The number of the first match that holds.
std::uint32_t RouteTable::first(const Request& request) const {
    std::uint32_t best = kNobody;
    if (index_ == nullptr) {
        const Matches& matches = *part().matches();
        for (std::uint32_t number = 0; number < matches.size(); ++number) {
            if (fits(*matches[number], request.path) && holds(number, request)) {
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
    const fb::Match* entry = part().matches()->Get(number);
    return Found{number, entry, entry->rule()};
}

}  // namespace penstock::match
