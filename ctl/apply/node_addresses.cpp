// SPDX-License-Identifier: Apache-2.0
#include "ctl/apply/node_addresses.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace penstock::apply {

namespace {

// Kinds that carry a node's own network: none (hardware), and what is made of hardware.
constexpr std::array<std::string_view, 7> kWires = {"", "bond", "team", "vlan", "macvlan", "ipvlan", "vrf"};

template <class List, class Value>
bool contains(const List& list, const Value& value) {
    return std::find(list.begin(), list.end(), value) != list.end();
}

bool leads_out(const Interface& interface, const NodeView& view) {
    return contains(view.named, interface.name) || contains(view.default_route, interface.index) || contains(kWires, interface.kind);
}

template <class Counts>
std::vector<IpAddress> collect(const NodeView& view, const Counts& counts) {
    std::vector<IpAddress> list;
    for (const InterfaceAddress& one : view.addresses) {
        const Interface* interface = find_interface(view.interfaces, one.ifindex);
        if (one.global && !one.ours && !one.address.is_loopback() && interface != nullptr && counts(*interface)) {
            list.push_back(one.address);
        }
    }
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
    return list;
}

}  // namespace

std::vector<IpAddress> node_addresses(const NodeView& view) {
    const bool out = !collect(view, [&](const Interface& one) { return !one.loopback && leads_out(one, view); }).empty();
    return collect(view, [&](const Interface& one) { return leads_out(one, view) || (!out && one.kind == "veth"); });
}

}  // namespace penstock::apply
