// SPDX-License-Identifier: Apache-2.0
// NAT's source ports against those that the kernel takes for this node's own connections.
#pragma once

#include <cstdint>

#include "userspace/base/result.hpp"

namespace penstock::apply {

// ip_local_port_range of this namespace, both included.
struct PortSpan {
    std::uint16_t first = 0;
    std::uint16_t last = 0;
};
Result<PortSpan> local_port_range();
// Errc::invalid with a hint if the kernel may choose source ports that are NAT's.
Status check_nat_ports(PortSpan nat, PortSpan local);

}  // namespace penstock::apply
