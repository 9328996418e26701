// SPDX-License-Identifier: Apache-2.0
// Routes, listeners, policies and endpoints that are there and yet serve nobody.
#include <algorithm>
#include <type_traits>
#include <variant>

#include "ctl/gwctl/analysis.hpp"
#include "ctl/gwctl/answer.hpp"

namespace penstock::gwctl {

namespace {

using model::Kind;
using model::Reference;
using model::Role;
using nlohmann::json;

// Null for what is no route.
const model::RouteParents* parents_of(const model::Object& object) {
    return std::visit(
        [](const auto& spec) -> const model::RouteParents* {
            if constexpr (std::is_base_of_v<model::RouteParents, std::decay_t<decltype(spec)>>) {
                return &spec;
            } else {
                return nullptr;
            }
        },
        object.body);
}

// Whether all routes that there are can be seen, or were by who wrote the status.
bool knows_routes(const Scene& scene) {
    constexpr Kind kRoutes[] = {Kind::http_route, Kind::grpc_route, Kind::tls_route, Kind::tcp_route, Kind::udp_route};
    return scene.watched || (scene.whole && std::none_of(std::begin(kRoutes), std::end(kRoutes), [&](Kind kind) { return scene.unseen.contains(kind); }));
}

// Parents that are there but have no listener of that name or port.
void check_sections(Checking& checking, const model::ObjectKey& key, const model::Object& route) {
    for (const Reference& ref : references_of(route)) {
        const auto kind = kind_of(ref);
        const auto parent = ref.role == Role::parent && kind ? checking.scene.store.get(*kind, ref.ns, ref.name) : nullptr;
        const auto* listeners = parent != nullptr ? listeners_of(*parent) : nullptr;
        if (listeners == nullptr || (!ref.section && !ref.port)) {
            continue;
        }
        const bool found = std::any_of(listeners->begin(), listeners->end(), [&](const model::Listener& one) { return (!ref.section || one.name == *ref.section) && (!ref.port || one.port == *ref.port); });
        if (found) {
            continue;
        }
        std::string there;
        for (const model::Listener& one : *listeners) {
            there += (there.empty() ? "it has " : ", ") + one.name + " (" + std::to_string(one.port) + ")";
        }
        const std::string asked = (ref.section ? " named " + *ref.section : "") + (ref.port ? " on port " + std::to_string(*ref.port) : "");
        checking.add({.code = "RT002", .object = key, .path = ref.path, .message = text_of(ref) + " has no listener" + asked, .hint = there, .manifest = {}, .explains = "NoMatchingParent"});
    }
}

void check_listeners(Checking& checking, const model::ObjectKey& key, const json& status) {
    for (const json& listener : list_at(status, {"listeners"})) {
        if (count_at(listener, {"attachedRoutes"}) == 0) {
            const bool known = knows_routes(checking.scene);
            checking.add({.code = "LS001", .weight = known ? Weight::warning : Weight::note, .object = key, .path = "listener " + text_at(listener, {"name"}),
                          .message = known ? "no route is attached: it answers nobody" : "no route that can be seen is attached", .hint = "do routes allow it (parentRefs), and it them (allowedRoutes, hostname)?", .manifest = {}, .explains = {}});
        }
    }
}

}  // namespace

void check_attachment(Checking& checking) {
    const model::Store& store = checking.scene.store;
    for (const auto& [key, object] : store) {
        if (const model::RouteParents* parents = parents_of(*object)) {
            if (parents->parent_refs.empty() && parents->use_default_gateways == "None") {
                checking.add({.code = "RT003", .weight = Weight::warning, .object = key, .path = "spec.parentRefs", .message = "it names no parent: it is attached to nothing", .hint = {}, .manifest = {}, .explains = {}});
            }
            check_sections(checking, key, *object);
        }
        if (const auto found = checking.scene.statuses.find(key); found != checking.scene.statuses.end() && listeners_of(*object) != nullptr) {
            check_listeners(checking, key, found->second);
        }
    }
    for (const auto& [key, object] : store.of_kind(Kind::backend_tls_policy)) {
        for (const Reference& target : references_of(*object)) {
            if (checking.scene.whole && target.role == Role::target && target.kind == "Service" && checking.may_exist(target) && !checking.led_to.contains({Kind::service, target.ns, target.name})) {
                checking.add({.code = "PL002", .weight = Weight::warning, .object = key, .path = target.path, .message = "no route leads to " + text_of(target) + ": the policy does nothing", .hint = {},
                              .manifest = {}, .explains = {}});
            }
        }
    }
}

void check_endpoints(Checking& checking) {
    const Scene& scene = checking.scene;
    const bool told = scene.whole || !scene.store.of_kind(Kind::endpoint_slice).empty();
    if (!told || scene.unseen.contains(Kind::endpoint_slice)) {
        return;
    }
    for (const auto& [key, user] : checking.led_to) {
        const auto service = checking.world.service(key.ns, key.name);
        if (!service || service.spec->type == "ExternalName") {
            continue;
        }
        std::size_t all = 0;
        std::size_t ready = 0;
        for (const model::ObjectPtr& slice : checking.world.slices(key.ns, key.name)) {
            for (const model::SliceEndpoint& endpoint : model::body_of<model::EndpointSlice>(*slice)->endpoints) {
                all += endpoint.addresses.size();
                ready += endpoint.conditions.ready.value_or(true) ? endpoint.addresses.size() : 0;
            }
        }
        if (ready == 0) {
            checking.add({.code = "BE003", .weight = Weight::warning, .object = key, .path = {},
                          .message = (all == 0 ? "it has no endpoint" : "none of its " + std::to_string(all) + " endpoints is ready") + ", and " + user.text() + " leads there",
                          .hint = all == 0 ? "does its selector match running pods?" : "why are its pods not ready?", .manifest = {}, .explains = {}});
        }
    }
}

}  // namespace penstock::gwctl
