// SPDX-License-Identifier: Apache-2.0
// Frames by which a link learns who has an address, and what others' frames claim. Pure bytes, no sockets.
//
//   IPv4  ARP announcement (RFC 5227 section 3): a broadcast request whose sender and target are the address
//         | ff:ff:ff:ff:ff:ff | mac | 0806 | 0001 0800 06 04 0001 | mac | address | 00:00:00:00:00:00 | address |        42 bytes
//   IPv6  unsolicited neighbour advertisement (RFC 4861 section 7.2.6): from the address to all nodes, hop limit 255, override set
//         | 33:33:00:00:00:01 | mac | 86dd | IPv6, 40 bytes | 136 0 checksum 20000000 | address | 02 01 mac |            86 bytes
//   who has it? From nobody (RFC 5227 section 1.1, RFC 4862 section 5.4.2), so that no cache learns from the question:
//   IPv4  ARP probe: a request whose sender is 0.0.0.0, to all or to who answered before
//         | to | mac | 0806 | 0001 0800 06 04 0001 | mac | 0.0.0.0 | 00:00:00:00:00:00 | address |                        42 bytes
//   IPv6  neighbour solicitation from :: to the address' solicited-node group; the answer goes to all nodes
//         | 33:33:ff:xx:xx:xx | mac | 86dd | IPv6, 40 bytes | 135 0 checksum 00000000 | address |                           78 bytes
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "ctl/plan/reach.hpp"
#include "userspace/base/ip.hpp"

namespace penstock::apply {

using plan::Mac;

// `mac` has `address` now.
[[nodiscard]] std::vector<std::uint8_t> announcement(const IpAddress& address, const Mac& mac);

// Who has `address`? `to`: an ARP probe goes to this one only.
[[nodiscard]] std::vector<std::uint8_t> question(const IpAddress& address, const Mac& mac, const std::optional<Mac>& to = {});

struct NeighbourClaim {
    IpAddress address;
    Mac mac = {};  // who says that it has it
    bool operator==(const NeighbourClaim&) const = default;
};

// Of an Ethernet frame of type ARP. Nothing if it claims no address: a probe (RFC 5227: sender 0.0.0.0), junk.
[[nodiscard]] std::optional<NeighbourClaim> arp_claim(std::span<const std::uint8_t> frame);
// Of an ICMPv6 message as a raw socket gives it. Nothing unless it is a neighbour advertisement that names its link-layer address, and came
// with hop limit 255: no router let it through.
[[nodiscard]] std::optional<NeighbourClaim> advertisement_claim(std::span<const std::uint8_t> message, int hop_limit);

}  // namespace penstock::apply
