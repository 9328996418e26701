// SPDX-License-Identifier: Apache-2.0
// Which addresses are this node's as others know it: what Gateways listen on that have no pool and name none. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ctl/apply/netlink.hpp"

namespace penstock::apply {

struct NodeView {
    const std::vector<Interface>& interfaces;
    const std::vector<InterfaceAddress>& addresses;
    const std::vector<std::uint32_t>& default_route;  // interfaces that have one
    const std::vector<std::string>& named;            // interfaces that --interface names
};

// Global ones that we did not put: of interfaces that are named or have a default route, of hardware, and of lo. Not those of bridges, tunnels
// and devices without a wire: containers' networks, or all the ClusterIPs of kube-proxy (kube-ipvs0). Those of veths count where no other
// interface does, in a network namespace. Sorted.
[[nodiscard]] std::vector<IpAddress> node_addresses(const NodeView& view);

}  // namespace penstock::apply
