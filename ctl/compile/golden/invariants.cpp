// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/golden/invariants.hpp"

#include <algorithm>
#include <set>

#include "ctl/compile/dump.hpp"
#include "ctl/compile/dump_snapshot.hpp"

namespace penstock::compile::golden {
namespace {

bool has(const Conditions& conditions, std::string_view type) {
    return std::any_of(conditions.begin(), conditions.end(), [&](const Condition& entry) { return entry.type_name() == type; });
}

const Condition* find(const Conditions& conditions, std::string_view type) {
    const auto found = std::find_if(conditions.begin(), conditions.end(), [&](const Condition& entry) { return entry.type_name() == type; });
    return found != conditions.end() ? &*found : nullptr;
}

void check_conditions(const std::string& whose, const Conditions& conditions, Faults& faults) {
    for (std::size_t i = 0; i < conditions.size(); ++i) {
        const Condition& condition = conditions[i];
        const std::string which = whose + ": " + std::string(condition.type_name());
        if (i > 0 && conditions[i - 1].type_name() >= condition.type_name()) {
            faults.push_back(which + " stands twice or out of order");
        }
        if (condition.message.empty() && condition.holds() == is_bad_news(condition.type_name())) {
            faults.push_back(which + " says that something is wrong, and not what");
        }
        const bool prefixed = condition.message.starts_with("Dropped Rule") || condition.message.starts_with("Fall Back");
        if (condition.type() == ConditionType::RoutePartiallyInvalid && !prefixed) {
            faults.push_back(which + " must begin as the API says");
        }
    }
    const Condition* accepted = find(conditions, "Accepted");
    const Condition* programmed = find(conditions, "Programmed");
    if (accepted == nullptr) {
        faults.push_back(whose + ": is neither accepted nor refused");
    } else if (programmed != nullptr && programmed->holds() && !accepted->holds()) {
        faults.push_back(whose + ": is programmed and not accepted");
    }
}

struct StatusChecker {
    const std::string& whose;
    Faults& faults;

    void operator()(const ClassStatus& /*status*/) const {}
    void operator()(const GatewayStatus& status) const {
        want(has(status.conditions, "Programmed"), whose, "Programmed");
        check(status.listeners);
    }
    void operator()(const ListenerSetStatus& status) const {
        want(has(status.conditions, "Programmed"), whose, "Programmed");
        check(status.listeners);
    }
    void operator()(const RouteStatus& status) const {
        want(!status.parents.empty(), whose, "parents");
        for (const RouteParentStatus& parent : status.parents) {
            want(has(parent.conditions, "ResolvedRefs"), whose, "ResolvedRefs");
        }
    }
    void operator()(const PolicyStatus& status) const { want(!status.ancestors.empty() && status.ancestors.size() <= 16, whose, "1 to 16 ancestors"); }

private:
    void want(bool there, const std::string& place, const std::string& what) const {
        if (!there) {
            faults.push_back(place + ": has no " + what);
        }
    }
    void check(const std::vector<ListenerStatus>& listeners) const {
        std::set<std::string> names;
        for (const ListenerStatus& listener : listeners) {
            const std::string place = whose + " listener " + listener.name;
            want(names.insert(listener.name).second, place, "name of its own");
            want(has(listener.conditions, "Programmed"), place, "Programmed");
            want(has(listener.conditions, "ResolvedRefs"), place, "ResolvedRefs");
            const Condition* accepted = find(listener.conditions, "Accepted");
            const Condition* conflicted = find(listener.conditions, "Conflicted");
            want(conflicted == nullptr || (accepted != nullptr && !accepted->holds()), place, "Accepted=False beside Conflicted");
        }
    }
};

void check_steering(const Steering& steering, Faults& faults) {
    std::set<std::tuple<Endpoint, Transport>> places;
    std::set<std::uint32_t> services;
    std::set<std::uint32_t> backends;
    std::transform(steering.services.begin(), steering.services.end(), std::inserter(services, services.end()), [](const Service& one) { return one.id; });
    std::transform(steering.backends.begin(), steering.backends.end(), std::inserter(backends, backends.end()), [](const Backend& one) { return one.id; });
    for (const Vip& vip : steering.vips) {
        const std::string name = "VIP " + vip.address.text();
        if (!places.emplace(vip.address, vip.transport).second) {
            faults.push_back(name + ": stands twice");
        }
        if (vip.target == Vip::Target::service && !services.contains(vip.service)) {
            faults.push_back(name + ": leads to no service");
        }
    }
    for (const Service& service : steering.services) {
        std::uint64_t weights = 0;
        for (const WeightedBackend& backend : service.backends) {
            weights += backend.weight;
            if (!backends.contains(backend.backend) || backend.weight > kServiceWeightMax || (backend.weight == 0) != backend.draining) {
                faults.push_back("service " + service.name + ": has a bad backend");
            }
        }
        if (weights == 0 || service.id == 0) {
            faults.push_back("service " + service.name + ": takes no flow");
        }
    }
    if (services.size() != steering.services.size() || backends.size() != steering.backends.size()) {
        faults.push_back("steering: a number stands for two things");
    }
}

bool same(const Statuses& one, const Statuses& other) {
    return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                      [](const auto& mine, const auto& theirs) { return mine.first == theirs.first && *mine.second == *theirs.second; });
}

void check_same(const std::string& what, const Compiled& one, const Compiled& other, Faults& faults) {
    if (!same(one.statuses, other.statuses)) {
        faults.push_back(what + ": the conditions depend on what was there before");
    }
    if (dump(one.snapshot) != dump(other.snapshot)) {
        faults.push_back(what + ": the snapshot depends on what was there before");
    }
    if (one.addresses != other.addresses || one.steering.vips.size() != other.steering.vips.size() ||
        one.steering.services.size() != other.steering.services.size() || one.steering.backends.size() != other.steering.backends.size()) {
        faults.push_back(what + ": steering depends on what was there before");
    }
}

}  // namespace

Faults faults_of(const Compiled& compiled) {
    Faults faults = faults_of(compiled.snapshot);
    for (const auto& [key, status] : compiled.statuses) {
        const std::string whose = key.text();
        visit_conditions(*status, [&](const Conditions& conditions) { check_conditions(whose, conditions, faults); });
        std::visit(StatusChecker{whose, faults}, status->body);
        if (status->generation == 0) {
            faults.push_back(whose + ": its conditions tell no generation");
        }
    }
    check_steering(compiled.steering, faults);
    if (dump(compiled).find("PRIVATE KEY") != std::string::npos) {
        faults.emplace_back("the dump shows a private key");
    }
    return faults;
}

Faults faults_of_repetition(const Case& entry, const Compiled& compiled) {
    Faults faults;
    const Compiled again = compile(entry.store, entry.options, &compiled);
    if (again.snapshot.root != compiled.snapshot.root || again.snapshot.parts != compiled.snapshot.parts || again.snapshot.lists != compiled.snapshot.lists) {
        faults.emplace_back("the snapshot is another one without an edit");
    }
    if (again.statuses != compiled.statuses) {
        faults.emplace_back("the statuses are others without an edit");
    }
    if (again.steering != compiled.steering || again.addresses != compiled.addresses) {
        faults.emplace_back("steering is another one without an edit");
    }
    return faults;
}

Faults faults_of_edits(const Case& entry, const Compiled& compiled) {
    Faults faults;
    // That much of what was before counts: a Gateway keeps what it has of its pool, also while the pool cannot be read.
    Compiled begun;
    begun.ids.addresses = compiled.ids.addresses;
    for (const auto& [key, object] : entry.store) {
        model::Store less = entry.store;
        less.erase(key);
        const Compiled edited = compile(less, entry.options, &compiled);
        check_same("without " + key.text(), edited, compile(less, entry.options, &begun), faults);
        Compiled then;
        then.ids.addresses = edited.ids.addresses;
        check_same(key.text() + " back again", compile(entry.store, entry.options, &edited), compile(entry.store, entry.options, &then), faults);
    }
    return faults;
}

}  // namespace penstock::compile::golden
