// SPDX-License-Identifier: Apache-2.0
// From a backendRef to the endpoints of a Service port. Endpoints come from EndpointSlices alone: cluster addresses, selectors and
// Service types play no part. A reference that does not resolve says why; a Service without endpoints does resolve.
// Invariant: sets are shared: one per Service port, protocol and way of TLS, whoever refers to it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
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
    ServedSet served;

    ServiceSettings settings;
    std::string trust;               // key of the Trust part that it needs; "" without TLS
    std::string client_certificate;  // key of the Certificates part
    std::vector<SetEndpoint> endpoints;  // by endpoint, unique
    std::vector<std::string> id_names;   // of the endpoints, in their order
    PartPtr part;
};
using BackendSetPtr = std::shared_ptr<const BackendSet>;

// A set, and how many hosts lead to it.
struct UsedSet {
    BackendSetPtr set;
    std::uint32_t uses = 0;
    bool operator==(const UsedSet&) const = default;
};
using BackendSets = PieceMap<std::string, UsedSet>;  // by key

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

// What sets are used is told in differences to `sets`: those that the compilation before ended with, or none.
class Backends {
public:
    // Numbers of sets and endpoints come from the takers. `previous` holds what was made before, to be kept where it is the same.
    struct Previous {
        const BackendSets* sets = nullptr;  // may be null, as the next
        const Parts* parts = nullptr;
    };
    Backends(const World& world, BackendSets sets, Previous previous, IdTaker& set_ids, IdTaker& endpoint_ids)
        : world_(&world), sets_(std::move(sets)), previous_(previous), set_ids_(&set_ids), endpoint_ids_(&endpoint_ids) {}

    [[nodiscard]] Resolved resolve(const Asker& asker, const model::BackendObjectRef& ref) const;
    // One more host leads to the set; only what is served gets one.
    void use(ServedSet set);
    // One less.
    void release(const std::string& key);
    // Makes what is new and what the changes of these Services ("ns/name") and their slices reach, lets go of what nothing leads to, and
    // brings `parts` up to date.
    void settle(const std::set<std::string>& services, Parts& parts);
    // By key.
    [[nodiscard]] const BackendSets& sets() const { return sets_; }

private:
    struct Change {
        std::int64_t uses = 0;
        std::optional<ServedSet> served;  // as the last use has it
    };
    void settle(const std::string& key, const Change& change, Parts& parts);
    void let_go(const BackendSet& set);
    BackendSetPtr make(const ServedSet& set);

    const World* world_;
    BackendSets sets_;
    Previous previous_;
    IdTaker* set_ids_;
    IdTaker* endpoint_ids_;
    std::map<std::string, Change> changes_;
};

}  // namespace penstock::compile
