// SPDX-License-Identifier: Apache-2.0
// IP addresses and endpoints, IPv4 and IPv6 in one type.
#pragma once

#include <netinet/in.h>

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace penstock {

enum class Family : std::uint8_t { v4 = 4, v6 = 6 };

// 16 bytes in network order. IPv4 is stored as ::ffff:a.b.c.d, as in the BPF tables, and `family` tells.
struct IpAddress {
    std::array<std::uint8_t, 16> bytes = {};
    Family family = Family::v4;

    auto operator<=>(const IpAddress&) const = default;

    // Strict: no leading zeros in IPv4, no zone, no brackets. An IPv4-mapped IPv6 text becomes Family::v4.
    static std::optional<IpAddress> parse(std::string_view text);
    static IpAddress any(Family family);
    static IpAddress v4(std::uint32_t host_order);
    [[nodiscard]] std::string text() const;  // RFC 5952 for IPv6
    [[nodiscard]] bool is_any() const;
    [[nodiscard]] bool is_loopback() const;
    [[nodiscard]] bool is_link_local_v6() const;  // fe80::/10 (RFC 4291): means something together with an interface only
};

struct Endpoint {
    IpAddress address;
    std::uint16_t port = 0;  // host order

    auto operator<=>(const Endpoint&) const = default;

    static std::optional<Endpoint> parse(std::string_view text);  // "1.2.3.4:80", "[2001:db8::1]:80"
    [[nodiscard]] std::string text() const;
    // Fills `out`, gives the length of the sockaddr.
    socklen_t to_sockaddr(sockaddr_storage& out) const;
    static std::optional<Endpoint> from_sockaddr(const sockaddr_storage& in);
};

}  // namespace penstock

template <>
struct std::hash<penstock::IpAddress> {
    std::size_t operator()(const penstock::IpAddress& address) const noexcept {
        return std::hash<std::string_view>()(
            {reinterpret_cast<const char*>(address.bytes.data()), address.bytes.size()});
    }
};
template <>
struct std::hash<penstock::Endpoint> {
    std::size_t operator()(const penstock::Endpoint& endpoint) const noexcept {
        return std::hash<penstock::IpAddress>()(endpoint.address) * 31 + endpoint.port;
    }
};
