// SPDX-License-Identifier: Apache-2.0
// Keeps the ReachTable: for every backend address the device, next hop, NAT source and exit. Asks the kernel when told to; decides by one
// pure function, choose_exit().
#pragma once

#include <cstdint>
#include <set>
#include <unordered_set>
#include <utility>
#include <vector>

#include "ctl/apply/netlink.hpp"
#include "ctl/plan/reach.hpp"

namespace penstock::apply {

// The exit for a route over `device`. XDP where the device transmits its frames and the MAC is known; into the pod's namespace where a
// veth leads there and the MAC is known; else tc and the kernel's neighbour table, which resolves by itself.
[[nodiscard]] plan::Reach choose_exit(const IpAddress& address, const Route& route, const Interface* device, bool transmits_xdp,
                                      const Neighbour& neighbour);

class Reacher {
public:
    using Hop = std::pair<std::uint32_t, IpAddress>;  // interface, next hop

    // Looks up those of `addresses` that are new and forgets those that are not there. True if the table changed.
    bool follow(const std::unordered_set<IpAddress>& addresses, const std::vector<Interface>& interfaces, Netlink& netlink);
    // Looks up everything anew. True if the table changed.
    bool refresh(const std::vector<Interface>& interfaces, Netlink& netlink);
    // Looks up what goes over one of these neighbours. True if the table changed.
    bool refresh(const std::set<Hop>& hops, const std::vector<Interface>& interfaces, Netlink& netlink);
    // Asks the kernel for MACs that we lack, and to make sure of those that we use without its knowing.
    void keep_fresh(Netlink& netlink);
    [[nodiscard]] const plan::ReachTable& table() const { return table_; }

private:
    struct Lookup;  // what look-ups at one moment share

    plan::ReachTable table_;
    std::set<Hop> hops_;  // neighbours whose MAC we write or would like to
};

}  // namespace penstock::apply
