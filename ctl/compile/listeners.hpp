// SPDX-License-Identifier: Apache-2.0
// From classes, Gateways and ListenerSets to listeners: which are ours, which are valid, which conflict, which certificates they
// have. Says nothing of addresses (addresses.hpp) and routes (routes.hpp).
// Invariant: every listener of every Gateway and ListenerSet of ours is in the list, valid or not, in order of precedence.
#pragma once

#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "ctl/compile/annotations.hpp"
#include "ctl/compile/compile.hpp"
#include "ctl/compile/material.hpp"
#include "ctl/compile/pool.hpp"
#include "ctl/compile/parts.hpp"
#include "ctl/compile/status.hpp"
#include "ctl/compile/world.hpp"

namespace penstock::compile {

inline constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

struct Listener {
    std::size_t gateway = 0;   // index into Front.gateways
    std::size_t set = kNone;   // index into Front.sets; kNone: the Gateway's own
    const model::Object* owner = nullptr;  // the Gateway or ListenerSet
    const model::Listener* spec = nullptr;
    std::string name;          // "Gateway/ns/name/section"
    std::string hostname;      // lower case, "" for all
    std::optional<fb::ListenerMode> mode;  // nothing: unsupported protocol
    Transport transport = Transport::tcp;

    std::vector<RouteGroupKind> kinds;  // that may attach
    std::optional<Condition> refused;     // Accepted=False
    std::optional<Condition> unresolved;  // ResolvedRefs=False
    std::optional<Condition> conflicted;
    std::optional<Condition> overlapping;
    std::vector<ServingCertificatePtr> certificates;
    TlsSettings tls;
    std::string client_authorities;  // PEM, where clients' certificates are checked
    std::string without_effect;      // of ResolvedRefs=True

    std::vector<IpAddress> addresses;  // that it has its place on; filled by addresses.hpp

    [[nodiscard]] bool needs_certificate() const {
        return mode == fb::ListenerMode::Https || mode == fb::ListenerMode::TlsTerminate;
    }
    [[nodiscard]] bool speaks_http() const { return mode == fb::ListenerMode::Http || mode == fb::ListenerMode::Https; }
    // Whether it can be served, if it has an address.
    [[nodiscard]] bool servable() const { return mode && !refused && !(needs_certificate() && certificates.empty()); }
    [[nodiscard]] bool served() const { return servable() && !addresses.empty(); }
    // Whether its place on its port is its own. One that tells itself from others by its host name has it also where it cannot be served:
    // a listener with a wider name must not stand in for it, with another certificate and other routes.
    [[nodiscard]] bool claims() const { return servable() || (mode && !conflicted && mode != fb::ListenerMode::Tcp && mode != fb::ListenerMode::Udp); }
};

struct ListenerSetFront {
    Typed<model::ListenerSet> object;
    std::size_t gateway = 0;
    bool allowed = false;                // by the Gateway's spec.allowedListeners
    std::vector<std::size_t> listeners;  // indices into Front.listeners; empty if not allowed
};

struct GatewayFront {
    Typed<model::Gateway> object;
    std::optional<Condition> refused;       // Accepted=False for a reason of its own, not of its listeners
    std::optional<Condition> unresolved;    // ResolvedRefs=False
    std::optional<Condition> unprogrammed;  // Programmed=False
    std::optional<Condition> annotations;   // what is wrong with them
    EdgeSettings settings;                  // of its class, and its own on top
    ServingCertificatePtr client_certificate;  // that it shows to backends; may be null
    std::vector<std::size_t> listeners;     // its own
    std::vector<std::size_t> all_listeners; // with those of its sets
    std::shared_ptr<const Pool> pool;       // of its class; null: the node's own addresses
    std::vector<IpAddress> addresses;
    std::vector<StatusAddress> status_addresses;
};

// A GatewayClass of ours.
struct ClassFront {
    Typed<model::GatewayClass> object;
    bool good = false;
    std::shared_ptr<const Pool> pool;  // null: it names none
    ClassSettings settings;
    AnnotationFaults faults;
    ClassStatus status;
};

// What a parentRef can name.
struct FrontParent {
    bool is_set = false;
    std::size_t index = 0;  // into gateways or sets
};

struct Front {
    std::vector<GatewayFront> gateways;  // ours, oldest first
    std::vector<ListenerSetFront> sets;  // of our Gateways, oldest first
    std::vector<Listener> listeners;
    std::vector<ClassFront> classes;     // ours, oldest first

    // What holds for the whole edge is said by the oldest class that is good, or by the oldest while none is.
    [[nodiscard]] const ClassFront* edge() const;  // null: there is no class of ours
    [[nodiscard]] const ClassSettings& edge_settings() const;
    std::unordered_map<std::string, FrontParent> parents;                // by "Gateway/ns/name", "ListenerSet/ns/name"
};

[[nodiscard]] Front make_front(const World& world, const Options& options, Material& material);

// Whether a namespace is let in by `from` and `selector`, seen from the namespace `home`.
[[nodiscard]] bool lets_in(const World& world, const model::NamespacesRule& rule, const std::string& home, const std::string& ns);

// Key of the Certificates part with what a Gateway shows to backends.
[[nodiscard]] std::string client_key(const GatewayFront& gateway);

[[nodiscard]] fb::ObjectRefT ref_of(const model::Object& object);

}  // namespace penstock::compile
