// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/world.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace penstock::compile {
namespace {

constexpr const char* kNamespaceLabel = "kubernetes.io/metadata.name";

std::string path(const std::string& ns, const std::string& name) { return ns + "/" + name; }

template <class Spec>
std::vector<Typed<Spec>> list_by_age(const model::Store& store, model::Kind kind) {
    std::vector<Typed<Spec>> list;
    for (const auto& [key, object] : store.of_kind(kind)) {
        list.push_back({object, &std::get<Spec>(object->body)});
    }
    std::sort(list.begin(), list.end(), [](const auto& one, const auto& other) { return older(*one.object, *other.object); });
    return list;
}

}  // namespace

bool older(const model::Object& one, const model::Object& other) {
    const auto order = [](const model::Object& object) { return std::tie(object.meta.creation_s, object.key.ns, object.key.name, object.key.kind); };
    return order(one) < order(other);
}

ByAge::ByAge(const model::Store& store)
    : classes(list_by_age<model::GatewayClass>(store, model::Kind::gateway_class)),
      gateways(list_by_age<model::Gateway>(store, model::Kind::gateway)),
      listener_sets(list_by_age<model::ListenerSet>(store, model::Kind::listener_set)),
      policies(list_by_age<model::BackendTlsPolicy>(store, model::Kind::backend_tls_policy)) {}

World::World(const model::Store& store, const SliceIndex& slices, std::shared_ptr<const ByAge> known)
    : by_age(known != nullptr ? std::move(known) : std::make_shared<const ByAge>(store)), store_(store), slices_(slices) {}

Typed<model::Service> World::service(const std::string& ns, const std::string& name) const {
    model::ObjectPtr object = store_.get(model::Kind::service, ns, name);
    const model::Service* spec = object ? model::body_of<model::Service>(*object) : nullptr;
    return {std::move(object), spec};
}

std::shared_ptr<const model::Object> World::secret(const std::string& ns, const std::string& name) const {
    return store_.get(model::Kind::secret, ns, name);
}

std::shared_ptr<const model::Object> World::config_map(const std::string& ns, const std::string& name) const {
    return store_.get(model::Kind::config_map, ns, name);
}

const std::vector<std::shared_ptr<const model::Object>>& World::slices(const std::string& ns, const std::string& service) const {
    static const std::vector<std::shared_ptr<const model::Object>> kNothing;
    const auto* found = slices_.get(path(ns, service));
    return found != nullptr ? *found : kNothing;
}

const model::Labels& World::namespace_labels(const std::string& ns) const {
    const auto [place, added] = namespaces_.try_emplace(ns);
    if (added) {
        const model::ObjectPtr object = store_.get(model::Kind::namespace_, "", ns);
        place->second = object ? object->meta.labels : model::Labels();
        place->second.emplace(kNamespaceLabel, ns);
    }
    return place->second;
}

bool World::permitted(const From& from, const To& to) const {
    if (from.ns == to.ns) {
        return true;
    }
    const auto grants = store_.of_kind(model::Kind::reference_grant, std::string(to.ns));
    return std::any_of(grants.begin(), grants.end(), [&](const auto& given) {
        const auto& grant = std::get<model::ReferenceGrant>(given.second->body);
        const bool source = std::any_of(grant.from.begin(), grant.from.end(),
                                        [&](const auto& entry) { return entry.group == from.group && entry.kind == from.kind && entry.ns == from.ns; });
        return source && std::any_of(grant.to.begin(), grant.to.end(), [&](const auto& entry) {
            return entry.group == to.group && entry.kind == to.kind && (!entry.name || entry.name->empty() || *entry.name == to.name);
        });
    });
}

bool World::has_tls_policy(const std::string& ns, const std::string& service, const std::string& port_name) const {
    return std::any_of(by_age->policies.begin(), by_age->policies.end(), [&](const Typed<model::BackendTlsPolicy>& policy) {
        return policy.ns() == ns && std::any_of(policy.spec->target_refs.begin(), policy.spec->target_refs.end(), [&](const auto& target) {
            return target.group.empty() && target.kind == "Service" && target.name == service &&
                   (!target.section_name || *target.section_name == port_name);
        });
    });
}

}  // namespace penstock::compile
