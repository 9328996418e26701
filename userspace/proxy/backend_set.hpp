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

// The endpoints of one Service port.
struct BackendSet {
    std::uint32_t id = 0;
    fb::BackendProtocol protocol = fb::BackendProtocol::Http1;
    std::vector<BackendEndpoint> ready;  // those that take something new
    std::shared_ptr<const tls::BackendContext> tls;  // null: in the clear
    fb::Balance balance = fb::Balance::RoundRobin;
    std::string hash_header;             // Consistent: empty: the client's address
    std::vector<std::uint32_t> maglev;   // Consistent: indices into ready
    fb::PassiveHealthT health;
    std::uint32_t connections_max = 0;   // per endpoint and thread; 0: none
    fb::ProxyProtocol proxy_protocol = fb::ProxyProtocol::None;  // what is sent first
    std::string name;                    // "Service ns/name:port"
    std::string key;                     // of its part
};

}  // namespace penstock::proxy
