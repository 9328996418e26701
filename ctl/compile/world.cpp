// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/world.hpp"

#include <algorithm>
#include <tuple>

namespace penstock::compile {
namespace {

constexpr const char* kNamespaceLabel = "kubernetes.io/metadata.name";

std::string path(const std::string& ns, const std::string& name) { return ns + "/" + name; }

template <class Spec>
void sort_by_age(std::vector<Typed<Spec>>& list) {
    std::sort(list.begin(), list.end(), [](const auto& one, const auto& other) { return older(*one.object, *other.object); });
}

}  // namespace

bool older(const model::Object& one, const model::Object& other) {
    const auto order = [](const model::Object& object) { return std::tie(object.meta.creation_s, object.key.ns, object.key.name, object.key.kind); };
    return order(one) < order(other);
}

struct World::Sorter {
    World& world;
    const std::shared_ptr<const model::Object>& object;

    void operator()(const model::GatewayClass& spec) const { world.classes.push_back({object, &spec}); }
    void operator()(const model::Gateway& spec) const { world.gateways.push_back({object, &spec}); }
    void operator()(const model::ListenerSet& spec) const { world.listener_sets.push_back({object, &spec}); }
    void operator()(const model::HttpRoute& /*spec*/) const { world.routes.push_back(object); }
    void operator()(const model::GrpcRoute& /*spec*/) const { world.routes.push_back(object); }
    void operator()(const model::TlsRoute& /*spec*/) const { world.routes.push_back(object); }
    void operator()(const model::TcpRoute& /*spec*/) const { world.routes.push_back(object); }
    void operator()(const model::UdpRoute& /*spec*/) const { world.routes.push_back(object); }
    void operator()(const model::BackendTlsPolicy& spec) const { world.policies.push_back({object, &spec}); }
    void operator()(const model::ReferenceGrant& spec) const { world.grants_[object->key.ns].push_back(&spec); }
    void operator()(const model::Service& spec) const {
        world.services_.emplace(path(object->key.ns, object->key.name), Typed<model::Service>{object, &spec});
    }
    void operator()(const model::Secret& /*spec*/) const { world.secrets_.emplace(path(object->key.ns, object->key.name), object); }
    void operator()(const model::ConfigMap& /*spec*/) const { world.config_maps_.emplace(path(object->key.ns, object->key.name), object); }
    void operator()(const model::Namespace& /*spec*/) const {
        model::Labels labels = object->meta.labels;
        labels.emplace(kNamespaceLabel, object->key.name);
        world.namespaces_.emplace(object->key.name, std::move(labels));
    }
    void operator()(const model::EndpointSlice& spec) const { world.slices_[path(object->key.ns, spec.service)].push_back(object); }
};

World::World(const model::Store& store) {
    for (const auto& [key, object] : store) {
        std::visit(Sorter{*this, object}, object->body);
    }
    sort_by_age(classes);
    sort_by_age(gateways);
    sort_by_age(listener_sets);
    sort_by_age(policies);
}

Typed<model::Service> World::service(const std::string& ns, const std::string& name) const {
    const auto found = services_.find(path(ns, name));
    return found != services_.end() ? found->second : Typed<model::Service>{};
}

std::shared_ptr<const model::Object> World::secret(const std::string& ns, const std::string& name) const {
    const auto found = secrets_.find(path(ns, name));
    return found != secrets_.end() ? found->second : nullptr;
}

std::shared_ptr<const model::Object> World::config_map(const std::string& ns, const std::string& name) const {
    const auto found = config_maps_.find(path(ns, name));
    return found != config_maps_.end() ? found->second : nullptr;
}

const std::vector<std::shared_ptr<const model::Object>>& World::slices(const std::string& ns, const std::string& service) const {
    static const std::vector<std::shared_ptr<const model::Object>> kNothing;
    const auto found = slices_.find(path(ns, service));
    return found != slices_.end() ? found->second : kNothing;
}

const model::Labels& World::namespace_labels(const std::string& ns) const {
    const auto found = namespaces_.find(ns);
    return found != namespaces_.end() ? found->second : namespaces_.emplace(ns, model::Labels{{kNamespaceLabel, ns}}).first->second;
}

bool World::permitted(const From& from, const To& to) const {
    if (from.ns == to.ns) {
        return true;
    }
    const auto found = grants_.find(std::string(to.ns));
    if (found == grants_.end()) {
        return false;
    }
    return std::any_of(found->second.begin(), found->second.end(), [&](const model::ReferenceGrant* grant) {
        const bool source = std::any_of(grant->from.begin(), grant->from.end(),
                                        [&](const auto& entry) { return entry.group == from.group && entry.kind == from.kind && entry.ns == from.ns; });
        return source && std::any_of(grant->to.begin(), grant->to.end(), [&](const auto& entry) {
            return entry.group == to.group && entry.kind == to.kind && (!entry.name || entry.name->empty() || *entry.name == to.name);
        });
    });
}

bool World::has_tls_policy(const std::string& ns, const std::string& service, const std::string& port_name) const {
    return std::any_of(policies.begin(), policies.end(), [&](const Typed<model::BackendTlsPolicy>& policy) {
        return policy.ns() == ns && std::any_of(policy.spec->target_refs.begin(), policy.spec->target_refs.end(), [&](const auto& target) {
            return target.group.empty() && target.kind == "Service" && target.name == service &&
                   (!target.section_name || *target.section_name == port_name);
        });
    });
}

}  // namespace penstock::compile
