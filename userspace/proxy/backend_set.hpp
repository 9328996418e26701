// SPDX-License-Identifier: Apache-2.0
// The endpoints of one Service port, as a Backends part has them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "schema/snapshot_generated.h"
#include "userspace/base/ip.hpp"
#include "userspace/tls/backend.hpp"

namespace penstock::proxy {

namespace fb = penstock::snapshot;

struct BackendEndpoint {
    Endpoint address;
    std::uint32_t id = 0;
    std::uint64_t digest = 0;  // how tokens of sessions name it
};

// What is hashed, and who gets it.
struct HashChoice {
    std::string header;                 // empty: the client's address
    std::vector<std::uint32_t> maglev;  // indices into ready, which is not empty
};

// The endpoints of one Service port. There are thousands: what few have is elsewhere.
struct BackendSet {
    std::uint32_t id = 0;
    std::uint32_t connections_max = 0;   // per endpoint and thread; 0: none
    fb::PassiveHealthT health;
    fb::BackendProtocol protocol = fb::BackendProtocol::Http1;
    fb::ProxyProtocol proxy_protocol = fb::ProxyProtocol::None;  // what is sent first
    fb::Balance balance = fb::Balance::RoundRobin;
    std::unique_ptr<const HashChoice> hash;  // Consistent, with somebody ready; else null
    std::vector<BackendEndpoint> ready;  // those that take something new
    std::shared_ptr<const tls::BackendContext> tls;  // null: in the clear
    std::string name;                    // "Service ns/name:port"
    std::string key;                     // of its part
};

}  // namespace penstock::proxy
