// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/host_binding.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "userspace/proxy/balancer.hpp"

namespace penstock::proxy {

namespace {

const auto& mirrors_of(const fb::Rule& spec) { return fb::each(spec.filters() != nullptr ? spec.filters()->mirrors() : nullptr); }

// Those that could not be had are left out.
void bind_mirrors(const fb::Rule& spec, const FindSet& find, Rule& rule) {
    for (const fb::Mirror* mirror : mirrors_of(spec)) {
        auto set = mirror->denominator() != 0 ? find(mirror->backends()->string_view()) : nullptr;
        if (set != nullptr) {
            rule.mirrors.push_back({std::move(set), mirror->numerator(), mirror->denominator()});
        }
    }
}

Rule bind_rule(const fb::Rule& spec, const FindSet& find, const std::shared_ptr<const Seals>& seals) {
    Rule rule;
    rule.spec = &spec;
    std::vector<std::uint32_t> weights;
    for (const fb::WeightedBackend* backend : fb::each(spec.backends())) {
        if (backend->weight() != 0) {
            const std::string_view key = fb::text(backend->backends());
            rule.backends.push_back({key.empty() ? nullptr : find(key), backend});
            weights.push_back(backend->weight());
        }
    }
    if (weights.size() > 1) {
        rule.cycle = weighted_cycle(weights);
    }
    if (spec.filters() != nullptr && spec.filters()->cors() != nullptr) {
        rule.cors = std::make_unique<const Cors>(*spec.filters()->cors());
    }
    bind_mirrors(spec, find, rule);
    if (spec.persistence() != nullptr) {
        rule.persistence = std::make_unique<const Persistence>(*spec.persistence(), seals, session_scope(spec));
    }
    return rule;
}

bool lacks_sets(const Rule& rule) {
    const auto lacks = [](const WeightedBackend& backend) { return backend.set == nullptr && !fb::text(backend.spec->backends()).empty(); };
    return std::any_of(rule.backends.begin(), rule.backends.end(), lacks) || rule.mirrors.size() != mirrors_of(*rule.spec).size();
}

}  // namespace

std::shared_ptr<const Host> bind_host(const Host& unbound, const FindSet& find, const std::shared_ptr<const Seals>& seals) {
    auto host = std::make_shared<Host>();
    host->table = unbound.table;
    const auto& specs = *host->table->part().rules();
    host->rules.reserve(specs.size());
    for (const fb::Rule* spec : specs) {
        host->rules.push_back(bind_rule(*spec, find, seals));
    }
    return host;
}

bool lacks_sets(const Host& host) {
    return std::any_of(host.rules.begin(), host.rules.end(), [](const Rule& rule) { return lacks_sets(rule); });
}

bool uses(const Host& host, const std::function<bool(const BackendSet*)>& gone) {
    return std::any_of(host.rules.begin(), host.rules.end(), [&](const Rule& rule) {
        return std::any_of(rule.backends.begin(), rule.backends.end(), [&](const WeightedBackend& backend) { return gone(backend.set.get()); }) ||
               std::any_of(rule.mirrors.begin(), rule.mirrors.end(), [&](const RuleMirror& mirror) { return gone(mirror.set.get()); });
    });
}

bool keeps_sessions(const Host& host) {
    return std::any_of(host.rules.begin(), host.rules.end(), [](const Rule& rule) { return rule.persistence != nullptr; });
}

}  // namespace penstock::proxy
