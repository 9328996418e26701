// SPDX-License-Identifier: Apache-2.0
#include "ctl/apply/nat_ports.hpp"

#include <fstream>
#include <string>

namespace penstock::apply {

Result<PortSpan> local_port_range() {
    std::ifstream file("/proc/sys/net/ipv4/ip_local_port_range");
    unsigned first = 0;
    unsigned last = 0;
    if (!(file >> first >> last) || first > 65535 || last > 65535) {
        return Error{.code = Errc::kernel, .what = "read /proc/sys/net/ipv4/ip_local_port_range"};
    }
    return PortSpan{static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(last)};
}

Status check_nat_ports(PortSpan nat, PortSpan local) {
    const auto text = [](PortSpan span) { return std::to_string(span.first) + "-" + std::to_string(span.last); };
    if (nat.first == 0 || nat.first > nat.last) {
        return Error{.code = Errc::invalid, .what = "use " + text(nat) + " as NAT ports", .hint = "the range is empty: give --nat-ports FIRST-LAST"};
    }
    if (nat.first <= local.last && local.first <= nat.last) {
        return Error{.code = Errc::invalid,
                     .what = "use " + text(nat) + " as NAT ports",
                     .hint = "the kernel takes source ports for this node's own connections from " + text(local) +
                             " (net.ipv4.ip_local_port_range): change it or give --nat-ports a range outside"};
    }
    return success();
}

}  // namespace penstock::apply
