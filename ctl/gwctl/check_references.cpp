// SPDX-License-Identifier: Apache-2.0
// References that lead nowhere, or where they may not; grants that nothing needs.
#include <algorithm>

#include "ctl/gwctl/analysis.hpp"

namespace penstock::gwctl {

namespace {

using model::Kind;
using model::Reference;
using model::Role;

std::string group_of(const model::ObjectKey& key) { return std::string(model::info(key.kind).group); }

struct Absence {
    std::string_view code;
    const char* means;     // to the object that refers
    const char* explains;  // the reason of the condition
};

Absence absence_of(Role role) {
    switch (role) {
        case Role::gateway_class: return {"GW001", "nobody serves this Gateway", ""};
        case Role::parent: return {"RT001", "it is attached to nothing there", ""};
        case Role::backend: return {"BE001", "requests and connections that would go there fail", "BackendNotFound"};
        case Role::certificate: return {"TLS001", "the listener or backend connection cannot be made", "InvalidCertificateRef"};
        case Role::authority: return {"TLS001", "nobody can be verified", "InvalidCACertificateRef"};
        case Role::target: return {"PL001", "the policy does nothing for it", "TargetNotFound"};
    }
    return {};
}

bool permitted(const Checking& checking, const model::ObjectKey& from, const Reference& to) {
    return checking.world.permitted({.group = model::info(from.kind).group, .kind = model::info(from.kind).name, .ns = from.ns}, {.group = to.group, .kind = to.kind, .ns = to.ns, .name = to.name});
}

std::string grant_for(const model::ObjectKey& from, const Reference& to) {
    return "a ReferenceGrant in the namespace " + to.ns + " must say: from " + std::string(model::info(from.kind).name) + " of " + from.ns + " to " + to.kind + " " + to.name;
}

// Parents and targets need no grant: allowedRoutes decides, or they are of the same namespace.
bool needs_grant(Role role) { return role == Role::backend || role == Role::certificate || role == Role::authority; }

void check_port(Checking& checking, const model::ObjectKey& from, const Reference& to) {
    const auto service = to.kind == "Service" && to.group.empty() ? checking.world.service(to.ns, to.name) : compile::Typed<model::Service>();
    if (!service || !to.port || checking.scene.unseen.contains(Kind::service)) {
        return;
    }
    const auto& ports = service.spec->ports;
    if (std::any_of(ports.begin(), ports.end(), [&](const model::ServicePort& port) { return port.port == *to.port; })) {
        return;
    }
    std::string there;
    for (const model::ServicePort& port : ports) {
        there += (there.empty() ? "it has " : ", ") + std::to_string(port.port) + "/" + port.protocol;
    }
    checking.add({.code = "BE002", .object = from, .path = to.path + ".port", .message = "Service " + to.ns + "/" + to.name + " has no port " + std::to_string(*to.port), .hint = there,
                  .manifest = {}, .explains = "BackendNotFound"});
}

void check_reference(Checking& checking, const model::ObjectKey& from, const Reference& to) {
    if (needs_grant(to.role) && to.ns != from.ns && !checking.scene.unseen.contains(Kind::reference_grant) && !permitted(checking, from, to)) {
        checking.add({.code = "BE004", .weight = checking.missing(), .object = from, .path = to.path, .message = "no ReferenceGrant lets it refer to " + text_of(to), .hint = grant_for(from, to),
                      .manifest = {}, .explains = "RefNotPermitted"});
        return;
    }
    if (!checking.may_exist(to)) {
        const Absence absence = absence_of(to.role);
        checking.add({.code = absence.code, .weight = checking.missing(), .object = from, .path = to.path, .message = checking.absent(text_of(to)) + ": " + absence.means, .hint = {}, .manifest = {},
                      .explains = absence.explains});
        return;
    }
    if (to.role == Role::backend) {
        check_port(checking, from, to);
    }
}

bool covered(const model::GrantFrom& from, const model::GrantTo& to, const std::string& ns, const model::ObjectKey& who, const Reference& what) {
    return from.ns == who.ns && from.group == group_of(who) && from.kind == model::info(who.kind).name && to.group == what.group && to.kind == what.kind && what.ns == ns &&
           (!to.name || *to.name == what.name);
}

// Whether some reference to another namespace needs it. It may be for kinds that we do not know.
bool is_needed(const Checking& checking, const model::ObjectKey& key, const model::ReferenceGrant& grant) {
    for (const model::GrantFrom& from : grant.from) {
        const auto kind = model::kind_of_word(from.kind);
        if (!kind || model::info(*kind).group != from.group || checking.scene.unseen.contains(*kind)) {
            return true;
        }
        for (const auto& [who, object] : checking.scene.store.of_kind(*kind, from.ns)) {
            for (const Reference& what : references_of(*object)) {
                if (std::any_of(grant.to.begin(), grant.to.end(), [&, &who = who](const model::GrantTo& to) { return covered(from, to, key.ns, who, what); })) {
                    return true;
                }
            }
        }
    }
    return false;
}

void check_weights(Checking& checking, const model::ObjectKey& from, const std::vector<Reference>& references) {
    std::map<std::string, std::int64_t> sums;  // by the rule's path
    for (const Reference& reference : references) {
        const std::size_t end = reference.path.find("].backendRefs[");
        if (reference.role == Role::backend && end != std::string::npos && reference.path.find(".filters") == std::string::npos) {
            sums[reference.path.substr(0, end + 1)] += reference.weight;
        }
    }
    for (const auto& [path, sum] : sums) {
        if (sum == 0) {
            checking.add({.code = "BE005", .weight = Weight::warning, .object = from, .path = path, .message = "all of its backends have the weight 0: what it matches fails",
                          .hint = "give one a weight, or take the rule out", .manifest = {}, .explains = {}});
        }
    }
}

}  // namespace

void check_references(Checking& checking) {
    for (const auto& [key, object] : checking.scene.store) {
        const std::vector<Reference> references = references_of(*object);
        for (const Reference& reference : references) {
            check_reference(checking, key, reference);
        }
        check_weights(checking, key, references);
    }
    for (const auto& [key, object] : checking.scene.store.of_kind(Kind::reference_grant)) {
        if (checking.scene.whole && !is_needed(checking, key, *model::body_of<model::ReferenceGrant>(*object))) {
            checking.add({.code = "RG001", .weight = Weight::note, .object = key, .path = {}, .message = "nothing refers to what it grants", .hint = "take it out if nothing will", .manifest = {}, .explains = {}});
        }
    }
}

}  // namespace penstock::gwctl
