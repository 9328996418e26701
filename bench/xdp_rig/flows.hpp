// SPDX-License-Identifier: Apache-2.0
// Flows established through the program itself, as their two ends would: SYN, SYN-ACK, ACK, or a datagram each way and one more.
#pragma once

#include <cstdint>
#include <vector>

#include "bench/xdp_rig/world.hpp"

namespace penstock::bench {

// Of each flow what its frames carry: from the client its address and port, from the backend its address and our NAT port.
struct Flows {
    std::vector<pst_load_end> clients;
    std::vector<pst_load_end> backends;
};

// Ends the program if more than one in a thousand is not proven.
Flows establish(const Edge& edge, const Listener& listener, std::uint32_t count);

}  // namespace penstock::bench
