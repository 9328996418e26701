// SPDX-License-Identifier: Apache-2.0
// For tests only: a route table from a few words, and requests to ask it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "schema/packed.hpp"
#include "userspace/match/route_table.hpp"

namespace penstock::match::testing {

using Pairs = std::vector<std::pair<std::string, std::string>>;

class GivenFields final : public Fields {
public:
    explicit GivenFields(Pairs fields) : fields_(std::move(fields)) {}
    std::optional<std::string_view> value(std::string_view name, std::string& room) const override {
        std::optional<std::string_view> all;
        for (const auto& [key, value] : fields_) {
            if (key == name && all) {
                room = std::string(*all) + ", " + value;
                all = room;
            } else if (key == name) {
                all = value;
            }
        }
        return all;
    }

private:
    Pairs fields_;
};

inline fb::NamedMatchT named(std::string name, std::string value, fb::ValueMatch match = fb::ValueMatch::Exact) {
    fb::NamedMatchT result;
    result.name = std::move(name);
    result.value = std::move(value);
    result.match = match;
    return result;
}

struct Spec {
    fb::PathMatch kind = fb::PathMatch::Prefix;
    std::string path = "/";
    std::string method = {};
    std::vector<fb::NamedMatchT> headers = {};
    std::vector<fb::NamedMatchT> query = {};
};

// A table whose match i leads to rule i.
inline Result<std::shared_ptr<const RouteTable>> table_of(const std::vector<Spec>& specs) {
    fb::HostRoutesT part;
    part.hostname = "h";
    for (std::uint32_t i = 0; i < specs.size(); ++i) {
        auto match = std::make_unique<fb::MatchT>();
        match->path_match = specs[i].kind;
        match->path = specs[i].path;
        match->method = specs[i].method;
        match->rule = i;
        for (const auto& one : specs[i].headers) {
            match->headers.push_back(std::make_unique<fb::NamedMatchT>(one));
        }
        for (const auto& one : specs[i].query) {
            match->query.push_back(std::make_unique<fb::NamedMatchT>(one));
        }
        part.matches.push_back(std::move(match));
        auto rule = std::make_unique<fb::RuleT>();
        rule->object = std::make_unique<fb::ObjectRefT>();
        part.rules.push_back(std::move(rule));
    }
    return RouteTable::build(fb::Packed(part).bytes());
}

struct Asked {
    std::string path = "/";
    std::string method = "GET";
    std::string query = {};
    Pairs headers = {};
};

// The rule's number, -1 for none.
inline int rule_for(const RouteTable& table, const Asked& asked) {
    const GivenFields fields(asked.headers);
    const auto found = table.find({asked.method, asked.path, asked.query, fields});
    return found ? static_cast<int>(found->rule) : -1;
}

}  // namespace penstock::match::testing
