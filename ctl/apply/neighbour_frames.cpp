// SPDX-License-Identifier: Apache-2.0
#include "ctl/apply/neighbour_frames.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace penstock::apply {

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr Mac kBroadcast = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
constexpr Mac kAllNodesMac = {0x33, 0x33, 0, 0, 0, 1};
constexpr std::array<std::uint8_t, 16> kAllNodes = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
// Ethernet and IPv4 over it, addresses of 6 and 4 bytes.
constexpr std::array<std::uint8_t, 6> kArpKinds = {0, 1, 8, 0, 6, 4};
constexpr std::array<std::uint8_t, 4> kNobody = {};  // the sender of a probe
constexpr std::uint8_t kIcmpV6 = 58;
constexpr std::uint8_t kSolicitation = 135;
constexpr std::uint8_t kAdvertisement = 136;
constexpr std::uint8_t kOverride = 0x20;
constexpr std::uint8_t kTargetMac = 2;  // option
constexpr std::size_t kAdvertisementFixed = 24;
constexpr std::size_t kArpFrame = 42;

void add(Bytes& out, std::span<const std::uint8_t> bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

std::span<const std::uint8_t> four(const IpAddress& address) { return std::span(address.bytes).subspan(12); }

Bytes ethernet(const Mac& to, const Mac& from, std::uint8_t type_high, std::uint8_t type_low) {
    Bytes out;
    add(out, to);
    add(out, from);
    out.push_back(type_high);
    out.push_back(type_low);
    return out;
}

std::uint32_t sum_of(std::span<const std::uint8_t> bytes) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        sum += static_cast<std::uint32_t>(bytes[i]) << (i % 2 == 0 ? 8U : 0U);
    }
    return sum;
}

// A request for `address`, by who has `mac` and the address `sender`.
Bytes arp_request(const IpAddress& address, const Mac& to, const Mac& mac, std::span<const std::uint8_t> sender) {
    Bytes out = ethernet(to, mac, 0x08, 0x06);
    add(out, kArpKinds);
    add(out, std::array<std::uint8_t, 2>{0, 1});
    add(out, mac);
    add(out, sender);
    add(out, Mac{});
    add(out, four(address));
    return out;
}

// An ICMPv6 message with its checksum, from `source` to `group`, whose link-layer address is `to`.
Bytes icmp_frame(const Mac& to, const Mac& from, std::span<const std::uint8_t> source, std::span<const std::uint8_t> group, Bytes message) {
    std::uint32_t sum = sum_of(message) + sum_of(source) + sum_of(group) + static_cast<std::uint32_t>(message.size()) + kIcmpV6;
    sum = (sum & 0xffffU) + (sum >> 16U);
    sum = ~((sum & 0xffffU) + (sum >> 16U));
    message[2] = static_cast<std::uint8_t>(sum >> 8U);
    message[3] = static_cast<std::uint8_t>(sum);

    Bytes out = ethernet(to, from, 0x86, 0xdd);
    add(out, std::array<std::uint8_t, 8>{0x60, 0, 0, 0, 0, static_cast<std::uint8_t>(message.size()), kIcmpV6, 255});
    add(out, source);
    add(out, group);
    add(out, message);
    return out;
}

Bytes advertisement(const IpAddress& address, const Mac& mac) {
    Bytes message = {kAdvertisement, 0, 0, 0, kOverride, 0, 0, 0};
    add(message, address.bytes);
    add(message, std::array<std::uint8_t, 2>{kTargetMac, 1});
    add(message, mac);
    return icmp_frame(kAllNodesMac, mac, address.bytes, kAllNodes, std::move(message));
}

Bytes solicitation(const IpAddress& address, const Mac& mac) {
    Bytes message = {kSolicitation, 0, 0, 0, 0, 0, 0, 0};
    add(message, address.bytes);
    const auto& low = address.bytes;
    const std::array<std::uint8_t, 16> group = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, low[13], low[14], low[15]};
    return icmp_frame({0x33, 0x33, 0xff, low[13], low[14], low[15]}, mac, std::array<std::uint8_t, 16>{}, group, std::move(message));
}

Mac mac_at(std::span<const std::uint8_t> bytes, std::size_t at) {
    Mac mac = {};
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), mac.size(), mac.begin());
    return mac;
}

}  // namespace

std::vector<std::uint8_t> announcement(const IpAddress& address, const Mac& mac) {
    return address.family == Family::v4 ? arp_request(address, kBroadcast, mac, four(address)) : advertisement(address, mac);
}

std::vector<std::uint8_t> question(const IpAddress& address, const Mac& mac, const std::optional<Mac>& to) {
    return address.family == Family::v4 ? arp_request(address, to.value_or(kBroadcast), mac, kNobody) : solicitation(address, mac);
}

std::optional<NeighbourClaim> arp_claim(std::span<const std::uint8_t> frame) {
    if (frame.size() < kArpFrame || frame[12] != 0x08 || frame[13] != 0x06 || !std::equal(kArpKinds.begin(), kArpKinds.end(), frame.begin() + 14) || frame[20] != 0 ||
        (frame[21] != 1 && frame[21] != 2)) {
        return std::nullopt;
    }
    NeighbourClaim claim{.address = IpAddress::v4(0), .mac = mac_at(frame, 22)};
    std::copy_n(frame.begin() + 28, 4, claim.address.bytes.begin() + 12);
    return claim.address.is_any() ? std::nullopt : std::optional(claim);
}

std::optional<NeighbourClaim> advertisement_claim(std::span<const std::uint8_t> message, int hop_limit) {
    if (message.size() < kAdvertisementFixed || message[0] != kAdvertisement || message[1] != 0 || hop_limit != 255) {
        return std::nullopt;
    }
    NeighbourClaim claim{.address = {.bytes = {}, .family = Family::v6}, .mac = {}};
    std::copy_n(message.begin() + 8, 16, claim.address.bytes.begin());
    for (std::size_t at = kAdvertisementFixed; at + 8 <= message.size() && message[at + 1] != 0; at += std::size_t{message[at + 1]} * 8) {
        if (message[at] == kTargetMac && message[at + 1] == 1) {
            claim.mac = mac_at(message, at + 2);
            return claim;
        }
    }
    return std::nullopt;
}

}  // namespace penstock::apply
