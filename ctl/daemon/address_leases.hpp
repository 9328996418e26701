// SPDX-License-Identifier: Apache-2.0
// What the Leases of nodes and addresses are called, and how a node's networks stand in its Lease. Text only: who writes and reads them is
// address_link.
//
//   penstock-node-NAME        label penstock.dev/lease=node; annotation penstock.dev/networks: "192.0.2.100/24,fd00::1/64"; of a node whose name
//                             is too long for that its beginning and a hash, and annotation penstock.dev/node: all of it
//   penstock-address-ADDRESS  label penstock.dev/lease=address
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/kubeapi/lease.hpp"
#include "ctl/plan/holdings.hpp"
#include "userspace/base/ip.hpp"

namespace penstock::daemon {

inline constexpr const char* kLeaseLabel = "penstock.dev/lease";  // "node" or "address": the watch asks for it
inline constexpr const char* kLeaseNetworks = "penstock.dev/networks";
inline constexpr const char* kLeaseNode = "penstock.dev/node";
inline constexpr std::size_t kLeaseNetworksMax = 64;  // what is past them is neither told nor read

// A name that an object may have: at most 253 bytes.
std::string node_lease_name(const std::string& node);
// What that Lease carries besides its label. `networks`: where the node announces; nothing: it shares no addresses.
std::map<std::string, std::string> node_annotations(const std::string& node, const std::optional<std::vector<plan::Network>>& networks);
std::optional<std::string> node_of_lease(const kubeapi::Lease& lease);

// "penstock-address-192.0.2.1", "penstock-address-2001-0db8-0000-0000-0000-0000-0000-0001"; and back.
std::string lease_name(const IpAddress& address);
std::optional<IpAddress> address_of_lease(std::string_view name);

std::string text_of(const std::vector<plan::Network>& networks);
// What cannot be read is left out: a newer version's.
std::vector<plan::Network> parse_networks(std::string_view text);

// What a node's Lease says of it. One without networks shares no addresses.
plan::NodeSeen node_seen(const kubeapi::Lease& lease);

}  // namespace penstock::daemon
