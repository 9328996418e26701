// SPDX-License-Identifier: Apache-2.0
#include "userspace/match/candidates.hpp"

#include <map>

namespace penstock::match {

namespace {

constexpr std::size_t kMany = 8;  // fewer are tried one after the other

}  // namespace

const fb::NamedMatch* Candidates::exact(const fb::Match& match, const Key& key) {
    for (const fb::NamedMatch* named : fb::each(key.query ? match.query() : match.headers())) {
        if (named->name()->string_view() == key.name) {
            return named->match() == fb::ValueMatch::Exact ? named : nullptr;
        }
    }
    return nullptr;
}

Candidates::Key Candidates::most_asked(const Matches& matches, std::size_t& times) const {
    std::map<std::pair<bool, std::string_view>, std::size_t> counts;
    Key best;
    times = 0;
    for (const std::uint32_t number : others_) {
        for (const bool query : {false, true}) {
            for (const fb::NamedMatch* named : fb::each(query ? matches[number]->query() : matches[number]->headers())) {
                const std::string_view name = named->name()->string_view();
                const std::size_t now = named->match() == fb::ValueMatch::Exact ? ++counts[{query, name}] : 0;
                if (now > times) {
                    times = now;
                    best = {query, name};
                }
            }
        }
    }
    return best;
}

void Candidates::index(const Matches& matches) {
    if (others_.size() < kMany) {
        return;
    }
    std::size_t times = 0;
    const Key key = most_asked(matches, times);
    if (times < kMany) {
        return;
    }
    by_value_ = std::make_unique<ByValue>();
    by_value_->key = key;
    std::vector<std::uint32_t> rest;
    for (const std::uint32_t number : others_) {
        const fb::NamedMatch* named = exact(*matches[number], key);
        (named != nullptr ? by_value_->numbers[named->value()->string_view()] : rest).push_back(number);
    }
    others_ = std::move(rest);
}

std::span<const std::uint32_t> Candidates::ByValue::find(const Request& request) const {
    std::string room;
    const auto value = key.query ? query_value(request.query, key.name) : request.fields.value(key.name, room);
    const auto found = value ? numbers.find(*value) : numbers.end();
    return found == numbers.end() ? std::span<const std::uint32_t>() : found->second;
}

}  // namespace penstock::match
