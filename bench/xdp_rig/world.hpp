// SPDX-License-Identifier: Apache-2.0
// What the edge serves while it is measured: for each family and protocol a listener with 100 backends that are reached by the interface of
// the clients, and one for TCP over IPv4 whose backends are behind another interface. Frames between their ends are made here.
#pragma once

#include <cstdint>
#include <string>

#include "bench/xdp_rig/rig.hpp"

namespace penstock::bench {

struct Listener {
    bool v6 = false;
    bool udp = false;
    std::uint16_t port = 80;
    Way way = Way::tx;

    [[nodiscard]] std::string name() const { return std::string(udp ? "UDP" : "TCP") + (v6 ? " IPv6" : " IPv4"); }
};

inline constexpr std::uint16_t kFarPort = 81;      // of the listener whose backends are behind another interface
inline constexpr std::uint16_t kNoListener = 999;  // nobody listens there

// Writes the tables of all these listeners.
void build_world(const Rig& rig, Edge& edge);

// Where in a frame of one family and protocol the fields lie that differ between flows.
struct Places {
    std::uint32_t source = PST_LOAD_ADDRESS_AT;
    std::uint32_t destination;
    std::uint32_t source_port;
    std::uint32_t destination_port;
    std::uint32_t acknowledged;  // TCP
};
constexpr Places places_of(bool v6) {
    const std::uint32_t l4 = v6 ? 54 : 34;
    return {.destination = v6 ? 42U : 30U, .source_port = l4, .destination_port = l4 + 2, .acknowledged = l4 + 8};
}

// From a client to the listener, and from a backend to our NAT address. The fields of Places are for the caller to fill.
Bytes request(const Listener& listener, std::uint8_t tcp_flags);
Bytes reply(const Listener& listener, std::uint8_t tcp_flags);
// To an address that is none of ours.
Bytes stray(const Listener& listener);

}  // namespace penstock::bench
