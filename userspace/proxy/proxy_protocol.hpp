// SPDX-License-Identifier: Apache-2.0
// The PROXY protocol, versions 1 and 2 (haproxy.org, proxy-protocol.txt): who the client is, told by the proxy before us in the first bytes
// of a connection, or by us to a backend. Pure. Read strictly: what another reader could take for another address is refused.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "schema/snapshot_generated.h"
#include "userspace/base/ip.hpp"

namespace penstock::proxy {

namespace fb = penstock::snapshot;

inline constexpr std::size_t kProxyHeaderMax = 4096;  // of version 2, with what is beside the addresses; 107 of version 1

struct ProxyHeader {
    std::size_t size = 0;  // in bytes; what follows is the connection's own
    // None: the proxy speaks for itself (LOCAL), or does not know (UNKNOWN): the connection's own addresses hold.
    std::optional<Endpoint> source, destination;
};

enum class ProxyProgress { more, done, rejected };

// `bytes`: all that has come so far. `accepted`: not None. A prefix never says more than the whole.
ProxyProgress parse_proxy_header(std::string_view bytes, fb::ProxyProtocol accepted, ProxyHeader& header);

// `version`: not None; Any is the second. Addresses of different families are told as IPv6; unless both are known, we speak for ourselves.
std::string proxy_header(fb::ProxyProtocol version, const std::optional<Endpoint>& source, const std::optional<Endpoint>& destination);

}  // namespace penstock::proxy
