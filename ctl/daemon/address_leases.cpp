// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/address_leases.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "ctl/source/identity.hpp"

namespace penstock::daemon {

namespace {

constexpr std::string_view kNodePrefix = "penstock-node-";
constexpr std::string_view kAddressPrefix = "penstock-address-";
constexpr std::size_t kNameMax = 253;  // of objects, nodes among them
constexpr std::size_t kHashDigits = 16;

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

std::string node_lease_name(const std::string& node) {
    std::string name = std::string(kNodePrefix) + node;
    if (name.size() > kNameMax) {
        name.resize(kNameMax - 1 - kHashDigits);
        name.resize(name.find_last_not_of("-.") + 1);  // no part of a name ends or begins with these
        name += "-" + source::digest_of(node).substr(0, kHashDigits);
    }
    return name;
}

std::map<std::string, std::string> node_annotations(const std::string& node, const std::optional<std::vector<plan::Network>>& networks) {
    std::map<std::string, std::string> out;
    if (networks) {
        out.emplace(kLeaseNetworks, text_of(*networks));
    }
    if (!node_lease_name(node).ends_with(node)) {
        out.emplace(kLeaseNode, node);
    }
    return out;
}

std::optional<std::string> node_of_lease(const kubeapi::Lease& lease) {
    if (!lease.name.starts_with(kNodePrefix)) {
        return std::nullopt;
    }
    const auto whole = lease.annotations.find(kLeaseNode);
    const bool meant = whole != lease.annotations.end() && node_lease_name(whole->second) == lease.name;  // anybody may have written it
    return meant ? whole->second : lease.name.substr(kNodePrefix.size());
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
