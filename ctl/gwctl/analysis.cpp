// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/analysis.hpp"

#include <algorithm>
#include <tuple>

#include "ctl/compile/changes.hpp"

namespace penstock::gwctl {

std::string_view name_of(Weight weight) { return weight == Weight::error ? "error" : weight == Weight::warning ? "warning" : "note"; }

const std::vector<Check>& checks() {
    static const std::vector<Check> table = {
        {"OB001", "Penstock cannot read an object"},
        {"GW001", "a Gateway's GatewayClass is not there"},
        {"GW002", "nobody has said anything of an object: no controller runs for its class"},
        {"GW003", "a status is older than the object: its controller has not seen the last change"},
        {"LS001", "no route is attached to a listener"},
        {"RT001", "a route's or ListenerSet's parent is not there"},
        {"RT002", "no listener of the parent has the name or port that a route asks for"},
        {"RT003", "a route names no parent"},
        {"BE001", "a backend is not there"},
        {"BE002", "a Service has no such port"},
        {"BE003", "a Service that a route leads to has no ready endpoint"},
        {"BE004", "a reference to another namespace lacks a ReferenceGrant"},
        {"BE005", "all backends of a rule have the weight 0"},
        {"TLS001", "a certificate or bundle is not there"},
        {"TLS002", "a certificate is expired, not valid yet, or cannot be read"},
        {"TLS003", "a certificate expires within 30 days"},
        {"TLS004", "a certificate does not hold for its listener's hostname"},
        {"RG001", "a ReferenceGrant that nothing needs"},
        {"PL001", "a policy's target is not there"},
        {"PL002", "a policy's target is a Service that no route leads to"},
        {"SV001", "a Service uses spec.externalIPs (CVE-2020-8554), which Penstock ignores"},
        {"ST001", "a condition is not good, and no other check says why"},
    };
    return table;
}

namespace {

compile::SliceIndex slices_of(const model::Store& store) {
    compile::SliceIndex slices;
    static_cast<void>(compile::changes_between(model::Store(), store, slices));
    return slices;
}

}  // namespace

Checking::Checking(const Scene& of) : scene(of), slices(slices_of(of.store)), world(of.store, slices) {
    for (const auto& [key, object] : scene.store) {
        for (const model::Reference& ref : references_of(*object)) {
            if (ref.role == model::Role::backend && ref.kind == "Service" && ref.group.empty()) {
                led_to.emplace(model::ObjectKey{model::Kind::service, ref.ns, ref.name}, key);
            }
        }
    }
}

bool Checking::may_exist(const model::Reference& reference) const {
    const auto kind = kind_of(reference);
    return !kind || scene.unseen.contains(*kind) || scene.store.get(*kind, model::info(*kind).namespaced ? reference.ns : "", reference.name) != nullptr;
}

const std::vector<model::Listener>* listeners_of(const model::Object& object) {
    if (const auto* gateway = model::body_of<model::Gateway>(object)) {
        return &gateway->listeners;
    }
    const auto* set = model::body_of<model::ListenerSet>(object);
    return set != nullptr ? &set->listeners : nullptr;
}

std::vector<Finding> analyze(const Scene& scene) {
    Checking checking(scene);
    checking.findings = scene.unreadable;
    check_references(checking);
    check_endpoints(checking);
    check_attachment(checking);
    check_certificates(checking);
    check_external_ips(checking);
    check_conditions(checking);
    std::sort(checking.findings.begin(), checking.findings.end(), [](const Finding& one, const Finding& other) {
        return std::tie(one.weight, one.object, one.path, one.code, one.message) < std::tie(other.weight, other.object, other.path, other.code, other.message);
    });
    return std::move(checking.findings);
}

}  // namespace penstock::gwctl
