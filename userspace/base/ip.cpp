// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/ip.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace penstock {

namespace {
constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool is_mapped(const std::array<std::uint8_t, 16>& bytes) {
    return std::equal(kMapped.begin(), kMapped.end(), bytes.begin());
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return port;
}
}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
    char buffer[INET6_ADDRSTRLEN + 1] = {};
    if (text.empty() || text.size() >= sizeof buffer || text.find('\0') != std::string_view::npos) {
        return std::nullopt;
    }
    std::memcpy(buffer, text.data(), text.size());
    IpAddress address;
    in_addr four = {};
    if (::inet_pton(AF_INET, buffer, &four) == 1) {
        return v4(ntohl(four.s_addr));
    }
    if (::inet_pton(AF_INET6, buffer, address.bytes.data()) != 1) {
        return std::nullopt;
    }
    address.family = is_mapped(address.bytes) ? Family::v4 : Family::v6;
    return address;
}

IpAddress IpAddress::any(Family family) {
    if (family == Family::v4) {
        return v4(0);
    }
    IpAddress address;
    address.family = Family::v6;
    return address;
}

IpAddress IpAddress::v4(std::uint32_t host_order) {
    IpAddress address;
    std::copy(kMapped.begin(), kMapped.end(), address.bytes.begin());
    for (std::size_t i = 0; i < 4; ++i) {
        address.bytes[12 + i] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
    }
    return address;
}

std::string IpAddress::text() const {
    char buffer[INET6_ADDRSTRLEN] = {};
    if (family == Family::v4) {
        ::inet_ntop(AF_INET, bytes.data() + 12, buffer, sizeof buffer);
    } else {
        ::inet_ntop(AF_INET6, bytes.data(), buffer, sizeof buffer);
    }
    return buffer;
}

bool IpAddress::is_any() const { return *this == any(family); }

bool IpAddress::is_loopback() const {
    if (family == Family::v4) {
        return bytes[12] == 127;
    }
    return std::all_of(bytes.begin(), bytes.end() - 1, [](auto byte) { return byte == 0; }) && bytes[15] == 1;
}

bool IpAddress::is_link_local_v6() const { return family == Family::v6 && bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80; }

std::optional<Endpoint> Endpoint::parse(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    std::string_view host = text.substr(0, colon);
    const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) {
        host = host.substr(1, host.size() - 2);
    }
    const auto address = IpAddress::parse(host);
    const auto port = parse_port(text.substr(colon + 1));
    if (!address || !port || bracketed != (address->family == Family::v6)) {
        return std::nullopt;
    }
    return Endpoint{*address, *port};
}

std::string Endpoint::text() const {
    const std::string host = address.text();
    return (address.family == Family::v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

socklen_t Endpoint::to_sockaddr(sockaddr_storage& out) const {
    out = {};
    if (address.family == Family::v4) {
        auto& four = reinterpret_cast<sockaddr_in&>(out);
        four.sin_family = AF_INET;
        four.sin_port = htons(port);
        std::memcpy(&four.sin_addr, address.bytes.data() + 12, 4);
        return sizeof four;
    }
    auto& six = reinterpret_cast<sockaddr_in6&>(out);
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
    std::memcpy(&six.sin6_addr, address.bytes.data(), 16);
    return sizeof six;
}

std::optional<Endpoint> Endpoint::from_sockaddr(const sockaddr_storage& in) {
    Endpoint endpoint;
    if (in.ss_family == AF_INET) {
        const auto& four = reinterpret_cast<const sockaddr_in&>(in);
        endpoint.address = IpAddress::v4(ntohl(four.sin_addr.s_addr));
        endpoint.port = ntohs(four.sin_port);
        return endpoint;
    }
    if (in.ss_family == AF_INET6) {
        const auto& six = reinterpret_cast<const sockaddr_in6&>(in);
        std::memcpy(endpoint.address.bytes.data(), &six.sin6_addr, 16);
        endpoint.address.family = is_mapped(endpoint.address.bytes) ? Family::v4 : Family::v6;
        endpoint.port = ntohs(six.sin6_port);
        return endpoint;
    }
    return std::nullopt;
}

}  // namespace penstock
