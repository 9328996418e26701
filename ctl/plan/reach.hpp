// SPDX-License-Identifier: Apache-2.0
// How packets get from this node to a backend's address: facts that apply finds by netlink and plan writes into backend records.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "userspace/base/ip.hpp"

namespace penstock::plan {

using Mac = std::array<std::uint8_t, 6>;

struct Reach {
    // As enum pst_exit.
    enum class Exit : std::uint8_t {
        none,   // no way there; `why` says it
        xmit,   // the frame is made here and sent by the device: XDP may do it if `xdp`
        neigh,  // tc, and the kernel's neighbour table fills in the MAC
        peer    // tc, straight into the namespace behind a veth
    };

    Exit exit = Exit::none;
    bool xdp = false;           // the device transmits XDP frames
    std::uint32_t ifindex = 0;
    IpAddress source;           // our address towards it, same family: NAT's source
    IpAddress next_hop;         // gateway, or the backend itself when on the link
    Mac dmac = {};              // of next_hop; for xmit and peer
    Mac smac = {};              // of the device; for xmit and peer
    std::string why;            // for people: "no route to 10.0.0.1"

    bool operator==(const Reach&) const = default;
};

// By backend address. An address that is missing counts as Exit::none.
using ReachTable = std::unordered_map<IpAddress, Reach>;

}  // namespace penstock::plan
