// SPDX-License-Identifier: Apache-2.0
// The store as this stage reads it: typed, in order of age where age decides, and indexed by what is looked up. Points into the
// store, which must outlive it. Neither routes nor Services nor EndpointSlices are walked to make one.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ctl/model/store.hpp"

namespace penstock::compile {

// An object with its decoded content.
template <class Spec>
struct Typed {
    std::shared_ptr<const model::Object> object;
    const Spec* spec = nullptr;  // in it

    explicit operator bool() const { return spec != nullptr; }
    [[nodiscard]] const std::string& ns() const { return object->key.ns; }
    [[nodiscard]] const std::string& name() const { return object->key.name; }
};

// The Gateway API's order of precedence between objects: the older, then by namespace and name.
[[nodiscard]] bool older(const model::Object& one, const model::Object& other);

// The EndpointSlices of each Service, by "ns/service"; those of one in the store's order.
using SliceIndex = PieceMap<std::string, std::vector<model::ObjectPtr>>;

// The oldest first.
struct ByAge {
    explicit ByAge(const model::Store& store);

    std::vector<Typed<model::GatewayClass>> classes;
    std::vector<Typed<model::Gateway>> gateways;
    std::vector<Typed<model::ListenerSet>> listener_sets;
    std::vector<Typed<model::BackendTlsPolicy>> policies;
};

class World {
public:
    // `known`: of a store whose objects of these kinds are the same; null: it is made.
    World(const model::Store& store, const SliceIndex& slices, std::shared_ptr<const ByAge> known = nullptr);

    std::shared_ptr<const ByAge> by_age;

    [[nodiscard]] Typed<model::Service> service(const std::string& ns, const std::string& name) const;
    [[nodiscard]] std::shared_ptr<const model::Object> secret(const std::string& ns, const std::string& name) const;
    [[nodiscard]] std::shared_ptr<const model::Object> config_map(const std::string& ns, const std::string& name) const;
    // Of one Service; empty if none.
    [[nodiscard]] const std::vector<std::shared_ptr<const model::Object>>& slices(const std::string& ns, const std::string& service) const;
    // Labels of a namespace, always with kubernetes.io/metadata.name. A namespace that was not given has just that one.
    [[nodiscard]] const model::Labels& namespace_labels(const std::string& ns) const;

    // One end of a reference across namespaces.
    struct From {
        std::string_view group;
        std::string_view kind;
        std::string_view ns;
    };
    struct To {
        std::string_view group;
        std::string_view kind;
        std::string_view ns;
        std::string_view name;
    };
    // Whether a reference may be followed: within a namespace always, else if a ReferenceGrant beside the target allows it.
    [[nodiscard]] bool permitted(const From& from, const To& to) const;

    // Whether a BackendTLSPolicy targets this port of a Service.
    [[nodiscard]] bool has_tls_policy(const std::string& ns, const std::string& service, const std::string& port_name) const;

private:
    const model::Store& store_;
    const SliceIndex& slices_;
    mutable std::unordered_map<std::string, model::Labels> namespaces_;  // those that were asked for
};

}  // namespace penstock::compile
