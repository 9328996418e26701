// SPDX-License-Identifier: Apache-2.0
// compile: the store of typed objects in, what the data path serves and what the objects' statuses say out. A pure function: no
// clock, descriptor, thread or log, and the same input gives the same bytes. It never fails: what is wrong with an object becomes
// a condition of that object, and its neighbours are compiled as if it were alone.
//
//   class -> gateway, listeners, sets -> addresses and ports -> routes attach -> backends -> hosts -> snapshot, steering, statuses
//
// The previous result is given back in: ids stay what they were, and parts that did not change stay the same objects.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ctl/compile/ids.hpp"
#include "ctl/compile/snapshot.hpp"
#include "ctl/compile/status.hpp"
#include "ctl/compile/steering.hpp"
#include "ctl/model/store.hpp"
#include "userspace/base/ip.hpp"

namespace penstock::compile {

inline constexpr const char* kControllerName = "penstock.dev/gateway-controller";

struct Limits {
    std::uint32_t listeners_max = 1024;     // over all Gateways; the youngest Gateway over it is not programmed (NoResources)
    std::uint32_t vips_max = 4096;          // of the packet core's table; the youngest Gateway over it: NoResources
    std::uint32_t services_max = 16384;     // highest service id; a service over it is served by the worker
    std::uint32_t backends_max = 65536;     // highest backend id; a service that needs one over it is served by the worker

    bool operator==(const Limits&) const = default;
};

// A key that nothing in the store names. Its name stands for its content.
struct OwnKey {
    std::string id;
    std::shared_ptr<const Secret> key;

    bool operator==(const OwnKey& other) const { return id == other.id; }
};

struct Options {
    std::string controller_name = kControllerName;
    // What a Gateway without spec.addresses listens on: all of them.
    std::vector<IpAddress> node_addresses;
    // Whether a Gateway without a pool may name only addresses of nodes in spec.addresses, and not any unicast address: where who makes Gateways
    // is not who owns the link.
    bool names_only_own = false;
    // All addresses of this node. Packets to its own sockets are not the packet core's to send: a service with such an endpoint, or one on
    // loopback, is served by the worker.
    std::vector<IpAddress> own_addresses;
    // Whether the packet core carries TCP and UDP listeners. Without it steering holds no service, and the worker carries all.
    bool xdp = true;
    Limits limits;
    std::optional<Endpoint> metrics;      // where the worker tells its metrics; nothing: nowhere
    std::vector<OwnKey> ticket_keys;      // of 80 bytes: the current one, the previous, the next; none: tickets are good in one process
    std::vector<OwnKey> session_keys;     // of tokens of session persistence: the current one, then those that only open; 32 bytes or more

    bool operator==(const Options&) const = default;
    // Whether routes are judged as with `other`. All but own_addresses is looked at: only steering asks for those, and it is made anew each time,
    // while with each pod an interface of the node comes or goes, and its addresses.
    [[nodiscard]] bool judges_like(const Options& other) const;
};

// An address that some Gateway claims. The first Gateway (oldest, then by name) that has a listener on it is the owner; others may
// share it on other ports.
struct ClaimedAddress {
    IpAddress address;
    bool requested = false;  // in spec.addresses: apply puts it on an interface; false: it is the node's own already
    model::ObjectKey owner;

    bool operator==(const ClaimedAddress&) const = default;
};

struct Cache;  // of this stage alone: what makes the next compilation cheap

struct ServingCertificate;
// By Secret ("ns/name"), of those that something refers to and may: the last pair of certificate and key in it that could be used.
using ServingPairs = std::map<std::string, std::shared_ptr<const ServingCertificate>>;

struct Compiled {
    Snapshot snapshot;
    Steering steering;
    std::vector<ClaimedAddress> addresses;  // sorted by address
    Statuses statuses;
    Ids ids;                                // who has which number
    ServingPairs pairs;
    std::shared_ptr<const Cache> cache;     // opaque; may be null
};

// `previous` may be null (first run). Ids, pairs and what pools give depend on it, nothing else does. `told`, which may be null: what Gateways
// have of their pools by somebody who speaks for all nodes; it goes before what they had by `previous`. `others`: the own addresses of the other
// nodes that serve the same; a Gateway without a pool has these, too, as clients see it, and no pool gives them.
[[nodiscard]] Compiled compile(const model::Store& store, const Options& options, const Compiled* previous = nullptr, const AddressBook* told = nullptr,
                               const std::set<IpAddress>& others = {});

}  // namespace penstock::compile
