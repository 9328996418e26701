// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/host_sets.hpp"

#include <utility>

#include "userspace/base/assert.hpp"

namespace penstock::compile {

void HostSetsEdit::refer(const CompiledRoute& route, const std::string& key, int by) {
    if (key.empty()) {
        return;
    }
    auto served = context_.policies.on(route.rules.sets.at(key), listener_, context_.front);
    if (!served) {
        return;
    }
    Change& change = changes_[served->key];
    change.by += by;
    if (by > 0) {
        change.served = std::move(served);
    }
}

void HostSetsEdit::refer(const CompiledRoute& route, int by) {
    for (const auto& rule : route.rules.rules) {
        for (const auto& backend : rule->backends) {
            refer(route, backend->backends, by);
        }
        if (rule->filters) {
            for (const auto& mirror : rule->filters->mirrors) {
                refer(route, mirror->backends, by);
            }
        }
        if (!listener_.speaks_http()) {
            break;  // the first rule serves
        }
    }
}

HostSets HostSetsEdit::apply(const HostSets& before, Backends& backends) {
    HostSets now;
    now.reserve(before.size() + changes_.size());
    auto next = before.begin();
    for (auto& [key, change] : changes_) {
        for (; next != before.end() && next->key < key; ++next) {
            now.push_back(*next);
        }
        const bool was = next != before.end() && next->key == key;
        const std::int64_t count = change.by + (was ? (next++)->count : 0);
        PST_ASSERT(count >= 0 && (was || change.served));
        if (was && (count == 0 || change.served)) {
            backends.release(key);
        }
        if (count > 0) {
            if (change.served) {
                backends.use(std::move(*change.served));
            }
            now.push_back({key, static_cast<std::uint32_t>(count)});
        }
    }
    now.insert(now.end(), next, before.end());
    changes_.clear();
    return now;
}

}  // namespace penstock::compile
