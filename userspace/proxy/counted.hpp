// SPDX-License-Identifier: Apache-2.0
// What the tables hold of all hosts and backend sets together: the rules and services that are counted by themselves, and the places that
// connections may stand at. Kept up to date by what comes and goes; a copy shares what did not change.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "userspace/base/piece_map.hpp"
#include "userspace/match/route_table.hpp"
#include "userspace/proxy/backend_set.hpp"

namespace penstock::proxy {

// What is given stays the caller's, for as long as it is here.
class Counted {
public:
    void add(const BackendSet& set) { count(set, 1); }
    void remove(const BackendSet& set) { count(set, -1); }
    // The rules of a host part; null: there were or are none.
    void replace(const std::string& part, const match::RouteTable* before, const match::RouteTable* now);

    // In the order of their numbers, each number once; number 0, which is shared, comes last.
    [[nodiscard]] std::vector<const fb::Rule*> rules() const;
    // In the order of their services' names: a service that is spoken to in several ways has a set for each.
    [[nodiscard]] std::vector<const BackendSet*> sets() const;

    // Whether it is a ready endpoint that is spoken to like that: connections to others are let go.
    [[nodiscard]] bool has_place(const Endpoint& endpoint, const tls::BackendContext* tls) const { return places_.contains(Place{endpoint, tls}); }
    [[nodiscard]] bool sends_proxy_headers() const { return proxy_headers_ != 0; }  // to some backend

private:
    struct Place {
        Endpoint endpoint;
        const tls::BackendContext* tls;
        auto operator<=>(const Place&) const = default;
    };
    struct PlaceHash {
        std::uint64_t operator()(const Place& place) const { return std::hash<Endpoint>()(place.endpoint); }
    };
    struct RuleKey {
        std::uint32_t rank;  // number - 1
        std::uint64_t part;  // hash of its name: a rule stands in the part of each host that its route has
        auto operator<=>(const RuleKey&) const = default;
    };
    struct RuleHash {
        std::uint64_t operator()(const RuleKey& key) const { return key.part ^ (key.rank * 0x9e3779b97f4a7c15U); }
    };
    struct SetLess {
        bool operator()(const BackendSet* one, const BackendSet* other) const { return std::tie(one->name, one->key) < std::tie(other->name, other->key); }
    };
    struct SetHash {
        std::uint64_t operator()(const BackendSet* set) const { return piece_hash(set->key); }
    };
    void count(const BackendSet& set, int by);
    void count_place(const Place& place, int by);

    PieceMap<RuleKey, const fb::Rule*, std::less<>, RuleHash> rules_;
    PieceMap<const BackendSet*, std::monostate, SetLess, SetHash> sets_;
    PieceMap<Place, int, std::less<>, PlaceHash> places_;  // how many sets have it
    int proxy_headers_ = 0;                                // sets
};

}  // namespace penstock::proxy
