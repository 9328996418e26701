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

// What L4 listeners of one address family lead to: the backends of the rule that serves them. NAT keeps the family, so a rule may
// be two services. Never without a backend that takes new flows: where a share of the traffic has to be refused (an unresolved
// reference, no endpoint) or translated to the other family, the VIP is `ours` instead, because the worker can do that.
struct Service {
    std::uint16_t id = 0;     // 1 to Limits.services_max, stable over edits
    std::string name;         // identity: "TCPRoute/ns/name/rule/v4"
    Family family = Family::v4;
    Transport transport = Transport::tcp;
    model::ObjectKey object;  // the route
    std::vector<WeightedBackend> backends;  // sorted by backend

    bool operator==(const Service&) const = default;
};

// One endpoint of one service; the same endpoint in two services is two backends.
struct Backend {
    std::uint32_t id = 0;       // 1 to Limits.backends_max, stable over edits
    std::uint16_t service = 0;  // Service.id; family and transport are the service's
    Endpoint endpoint;          // the pod's own address and port
    std::string node;      // of Kubernetes; empty if not known
    std::string target;    // "Pod/ns/name"; empty if not known
    model::ObjectKey object;  // the Service through which it was found

    bool operator==(const Backend&) const = default;
};

struct Steering {
    std::vector<Vip> vips;          // by address, transport, port
    std::vector<Service> services;  // by id
    std::vector<Backend> backends;  // by id; each is named by its service

    bool operator==(const Steering&) const = default;
};

}  // namespace penstock::compile
