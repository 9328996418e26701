// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/address_leases.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace penstock::daemon {

namespace {

constexpr std::string_view kNodePrefix = "penstock-node-";
constexpr std::string_view kAddressPrefix = "penstock-address-";

std::optional<plan::Network> parse_network(std::string_view word) {
    const std::size_t slash = std::min(word.find('/'), word.size());
    const auto address = IpAddress::parse(word.substr(0, slash));
    unsigned length = 0;
    const auto [end, failure] = std::from_chars(word.data() + std::min(slash + 1, word.size()), word.data() + word.size(), length);
    if (!address || failure != std::errc() || end != word.data() + word.size() || length > (address->family == Family::v4 ? 32U : 128U)) {
        return std::nullopt;
    }
    return plan::Network{*address, static_cast<std::uint8_t>(length)};
}

}  // namespace

std::string node_lease_name(std::string_view node) { return std::string(kNodePrefix).append(node); }

std::optional<std::string> node_of_lease(std::string_view name) {
    return name.starts_with(kNodePrefix) ? std::optional(std::string(name.substr(kNodePrefix.size()))) : std::nullopt;
}

std::string lease_name(const IpAddress& address) {
    if (address.family == Family::v4) {
        return std::string(kAddressPrefix) + address.text();
    }
    std::string name(kAddressPrefix);
    for (std::size_t i = 0; i < address.bytes.size(); ++i) {
        name += fmt::format("{}{:02x}", i != 0 && i % 2 == 0 ? "-" : "", address.bytes[i]);
    }
    return name;
}

std::optional<IpAddress> address_of_lease(std::string_view name) {
    if (!name.starts_with(kAddressPrefix)) {
        return std::nullopt;
    }
    std::string text(name.substr(kAddressPrefix.size()));
    if (text.find('-') != std::string::npos) {
        std::replace(text.begin(), text.end(), '-', ':');
    }
    return IpAddress::parse(text);
}

std::string text_of(const std::vector<plan::Network>& networks) {
    std::string text;
    for (std::size_t i = 0; i < std::min(networks.size(), kLeaseNetworksMax); ++i) {
        text += fmt::format("{}{}/{}", text.empty() ? "" : ",", networks[i].address.text(), networks[i].prefix_length);
    }
    return text;
}

std::vector<plan::Network> parse_networks(std::string_view text) {
    std::vector<plan::Network> out;
    while (!text.empty() && out.size() < kLeaseNetworksMax) {
        const std::size_t comma = std::min(text.find(','), text.size());
        if (const auto network = parse_network(text.substr(0, comma))) {
            out.push_back(*network);
        }
        text.remove_prefix(std::min(comma + 1, text.size()));
    }
    return out;
}

plan::NodeSeen node_seen(const kubeapi::Lease& lease) {
    const auto networks = lease.annotations.find(kLeaseNetworks);
    const bool shares = networks != lease.annotations.end();
    return {.networks = shares ? parse_networks(networks->second) : std::vector<plan::Network>(), .shares = shares, .leaving = lease.holder.empty()};
}

}  // namespace penstock::daemon
