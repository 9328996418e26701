// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/counted.hpp"

#include <utility>

namespace penstock::proxy {

void Counted::count_place(const Place& place, int by) {
    const int* before = places_.get(place);
    const int now = (before != nullptr ? *before : 0) + by;
    if (now != 0) {
        places_.set(place, now);
    } else {
        places_.erase(place);
    }
}

void Counted::count(const BackendSet& set, int by) {
    proxy_headers_ += set.proxy_protocol != fb::ProxyProtocol::None ? by : 0;
    for (const BackendEndpoint& endpoint : set.ready) {
        count_place({endpoint.address, set.tls.get()}, by);
    }
    if (by > 0) {
        sets_.set(&set, {});
    } else {
        sets_.erase(&set);
    }
}

void Counted::replace(const std::string& part, const match::RouteTable* before, const match::RouteTable* now) {
    const std::uint64_t name = piece_hash(part);
    const auto key = [&](const fb::Rule& rule) { return RuleKey{rule.id() - 1, name}; };
    if (now != nullptr) {
        for (const fb::Rule* rule : *now->part().rules()) {
            rules_.set(key(*rule), rule);
        }
    }
    if (before != nullptr) {
        for (const fb::Rule* rule : *before->part().rules()) {
            const auto* there = rules_.get(key(*rule));
            if (there != nullptr && *there == rule) {
                rules_.erase(key(*rule));
            }
        }
    }
}

std::vector<const BackendSet*> Counted::sets() const {
    std::vector<const BackendSet*> all;
    for (const auto& [set, nothing] : sets_) {
        all.push_back(set);
    }
    return all;
}

std::vector<const fb::Rule*> Counted::rules() const {
    std::vector<const fb::Rule*> all;
    std::uint32_t last = 0;
    for (const auto& [key, rule] : rules_) {
        if (all.empty() || key.rank != last) {
            all.push_back(rule);
        }
        last = key.rank;
    }
    return all;
}

}  // namespace penstock::proxy
