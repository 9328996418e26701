// SPDX-License-Identifier: Apache-2.0
// The steering tables in logical form: which address and port is ours, which service it leads to, which backends that has.
// No BPF here, no Maglev, no memory layout: ctl/plan makes those from this. Every vector is sorted by the fields named first, so
// equal inputs give equal tables, and every reference resolves: Vip.service to a Service, WeightedBackend.backend to a Backend.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ctl/model/store.hpp"
#include "userspace/base/ip.hpp"

namespace penstock::compile {

// IANA protocol numbers, as in packets.
enum class Transport : std::uint8_t { tcp = 6, udp = 17 };

// One address and port that this edge serves. Unique by (address, transport, port).
struct Vip {
    // What the packet core does with a packet to it.
    enum class Target : std::uint8_t {
        service,  // steer it: new flows by the service's table
        ours      // pass it to the kernel and so to the worker
    };

    Endpoint address;  // port in host order
    Transport transport = Transport::tcp;
    Target target = Target::ours;
    std::uint16_t service = 0;   // Service.id if target is service, else 0
    std::uint32_t listener = 0;  // id of the first listener on it: the same as snapshot Listener.id, stable over edits
    std::string listener_name;   // "Gateway/ns/name/section", as in the snapshot
    model::ObjectKey object;     // the Gateway or ListenerSet that owns that listener

    bool operator==(const Vip&) const = default;
};

// The share of new flows of one backend in one service.
struct WeightedBackend {
    std::uint32_t backend = 0;  // Backend.id
    std::uint32_t weight = 0;   // relative within the service, 1 to kServiceWeightMax; 0 only if draining
    bool draining = false;      // keeps its flows and gets no new ones

    bool operator==(const WeightedBackend&) const = default;
};

inline constexpr std::uint32_t kServiceWeightMax = 65535;

// What one L4 listener leads to: the backends of the rule that serves it. Never without a backend that takes new flows or holds
// old ones: where a share of the traffic has to be refused (an unresolved reference, no endpoint), the VIP is `ours` instead,
// because the worker can refuse.
struct Service {
    std::uint16_t id = 0;    // 1 to 65535, stable over edits: identity is the route's rule on the listener's transport
    std::string name;        // "TCPRoute/ns/name/rule"
    model::ObjectKey object; // the route
    std::vector<WeightedBackend> backends;  // sorted by backend

    bool operator==(const Service&) const = default;
};

// One endpoint over one transport. Several services may share it.
struct Backend {
    std::uint32_t id = 0;  // 1 to 2^24 - 1, stable over edits; equal to snapshot BackendEndpoint.id
    Endpoint endpoint;     // the pod's own address and port
    Transport transport = Transport::tcp;
    std::string node;      // of Kubernetes; empty if not known
    std::string target;    // "Pod/ns/name"; empty if not known
    model::ObjectKey object;  // the Service through which it was found

    bool operator==(const Backend&) const = default;
};

inline constexpr std::uint32_t kBackendIdMax = (1U << 24) - 1;
inline constexpr std::uint32_t kServiceIdMax = 65535;

struct Steering {
    std::vector<Vip> vips;          // by address, transport, port
    std::vector<Service> services;  // by id
    std::vector<Backend> backends;  // by id; only those that some service names

    bool operator==(const Steering&) const = default;
};

}  // namespace penstock::compile
