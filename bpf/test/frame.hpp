// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Frames for tests, built from a description, with checksums computed from scratch: what the core mends is compared with what a sender
// would have written.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace penstock::bpf_test {

using Bytes = std::vector<std::uint8_t>;

inline constexpr std::uint8_t kFin = 0x01;
inline constexpr std::uint8_t kSyn = 0x02;
inline constexpr std::uint8_t kRst = 0x04;
inline constexpr std::uint8_t kAck = 0x10;

struct End {
    std::string address;  // "192.0.2.1" or "2001:db8::1"
    std::uint16_t port = 0;
};

struct Frame {
    End src;
    End dst;
    std::uint8_t proto = 6;
    std::uint8_t flags = 0;  // TCP
    std::uint32_t seq = 0;
    std::uint32_t ack = 0;
    std::uint8_t ttl = 64;
    std::string payload;
    std::string smac = "02:00:00:00:00:c1";
    std::string dmac = "02:00:00:00:00:01";
    bool udp_check = true;
    std::function<void(Bytes&)> spoil;  // last change of the bytes
};

Bytes build(const Frame& frame);

// The 16 bytes of an address, IPv4 as ::ffff:a.b.c.d.
void put_address(std::uint8_t* to, const std::string& address);
void put_mac(std::uint8_t* to, const std::string& mac);
std::string hex(const Bytes& bytes);

// Ones' complement sum of 16-bit words, not inverted.
std::uint16_t sum16(const std::uint8_t* data, std::size_t size, std::uint32_t start = 0);

}  // namespace penstock::bpf_test
