// SPDX-License-Identifier: Apache-2.0
// From a backendRef to the endpoints of a Service port. Endpoints come from EndpointSlices alone: cluster addresses, selectors and
// Service types play no part. A reference that does not resolve says why; a Service without endpoints does resolve.
// Invariant: sets are shared: one per Service port, protocol and way of TLS, whoever refers to it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/compile/annotations.hpp"
#include "ctl/compile/ids.hpp"
#include "ctl/compile/parts.hpp"
#include "ctl/compile/status.hpp"
#include "ctl/compile/steering.hpp"
#include "ctl/compile/world.hpp"

namespace penstock::compile {

struct SetEndpoint {
    Endpoint endpoint;
    bool draining = false;  // not ready: keeps what it has and gets nothing new
    std::string node;
    std::string target;
};

// What a reference resolved to: one port of one Service, and how it is spoken to.
struct SetUse {
    std::string key;  // "ns/name/port/protocol"
    std::string ns;
    std::string service;
    std::uint16_t port = 0;
    std::string port_name;
    Transport transport = Transport::tcp;
    fb::BackendProtocol protocol = fb::BackendProtocol::Raw;
};

// A set as some listeners speak to it: in plain text, or by TLS.
struct ServedSet {
    std::string key;  // of the Backends part: use.key and what TLS adds
    SetUse use;
    std::shared_ptr<const model::Object> policy;  // null: plain
    std::shared_ptr<const fb::BackendTlsT> tls;   // null: plain
};

// The endpoints of one ServedSet, and the part made of them.
struct BackendSet {
    // What it was made of; the same objects give the same set.
    std::shared_ptr<const model::Object> service;
    std::vector<std::shared_ptr<const model::Object>> slices;
    std::shared_ptr<const model::Object> policy;

    ServiceSettings settings;
    std::string trust;               // key of the Trust part that it needs; "" without TLS
    std::string client_certificate;  // key of the Certificates part
    std::vector<SetEndpoint> endpoints;  // by endpoint, unique
    std::vector<std::string> id_names;   // of the endpoints, in their order
    MadePartPtr part;
};
using BackendSetPtr = std::shared_ptr<const BackendSet>;
using BackendSets = std::map<std::string, BackendSetPtr>;

// Who asks: a route of this kind and namespace.
struct Asker {
    std::string_view kind;  // "HTTPRoute"
    std::string_view ns;
    Transport transport = Transport::tcp;
    bool http = false;      // the proxy speaks HTTP to it
    bool grpc = false;      // and HTTP/2, whatever appProtocol says
};

struct Resolved {
    std::optional<SetUse> use;       // nothing: unresolved
    std::optional<Condition> fault;  // of the route's ResolvedRefs
    AnnotationFaults annotations;    // of the Service
};

class Backends {
public:
    // `previous` may be null. Numbers of sets and endpoints come from the takers.
    Backends(const World& world, const BackendSets* previous, const MadeParts* previous_parts, IdTaker& set_ids, IdTaker& endpoint_ids)
        : world_(&world), previous_(previous), previous_parts_(previous_parts), set_ids_(&set_ids), endpoint_ids_(&endpoint_ids) {}

    [[nodiscard]] Resolved resolve(const Asker& asker, const model::BackendObjectRef& ref) const;
    // Makes the set if it is not there yet. Only what is served gets one.
    void use(const ServedSet& set);
    // All sets in use, by key.
    [[nodiscard]] const BackendSets& sets() const { return sets_; }

private:
    BackendSetPtr make(const ServedSet& set);

    const World* world_;
    const BackendSets* previous_;
    const MadeParts* previous_parts_;
    IdTaker* set_ids_;
    IdTaker* endpoint_ids_;
    BackendSets sets_;
};

}  // namespace penstock::compile
