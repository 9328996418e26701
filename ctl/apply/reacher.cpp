// SPDX-License-Identifier: Apache-2.0
#include "ctl/apply/reacher.hpp"

#include <algorithm>
#include <unordered_map>

namespace penstock::apply {

using plan::Reach;

Reach choose_exit(const IpAddress& address, const Route& route, const Interface* device, bool transmits_xdp, const Neighbour& neighbour) {
    const auto none = [](std::string why) { return Reach{.why = std::move(why)}; };
    if (route.local) {
        return none(address.text() + " is an address of this node itself");
    }
    if (device == nullptr || !device->up) {
        return none("the interface towards " + address.text() + " is down");
    }
    if (!route.source || route.source->family != address.family) {
        return none("this node has no address towards " + address.text());
    }
    Reach reach{.exit = Reach::Exit::neigh, .ifindex = device->index, .source = *route.source, .next_hop = route.gateway.value_or(address)};
    const bool has_mac = neighbour.state == NeighbourState::usable || neighbour.state == NeighbourState::stale;
    if (!has_mac || !device->ethernet) {
        return reach;
    }
    if (transmits_xdp) {
        reach.exit = Reach::Exit::xmit;
        reach.xdp = true;
    } else if (device->kind == "veth" && device->peer_elsewhere) {
        reach.exit = Reach::Exit::peer;
    } else {
        return reach;
    }
    reach.dmac = neighbour.mac;
    reach.smac = device->mac;
    return reach;
}

bool Reacher::refresh(const std::set<IpAddress>& addresses, const std::vector<Interface>& interfaces, Netlink& netlink) {
    std::unordered_map<std::uint32_t, const Interface*> by_index;
    for (const Interface& interface : interfaces) {
        by_index.emplace(interface.index, &interface);
    }
    std::unordered_map<std::uint32_t, bool> transmits;
    plan::ReachTable table;
    for (const IpAddress& address : addresses) {
        const auto route = netlink.route_to(address);
        if (!route.ok()) {
            table[address].why = route.error().message();
            continue;
        }
        const auto found = by_index.find(route->ifindex);
        const Interface* device = found == by_index.end() ? nullptr : found->second;
        const IpAddress next_hop = route->gateway.value_or(address);
        const Neighbour neighbour = device == nullptr || route->local ? Neighbour{} : netlink.neighbour(device->index, next_hop).value_or({});
        const auto [xmit, added] = transmits.try_emplace(route->ifindex, false);
        if (added && device != nullptr) {
            xmit->second = netlink.xdp_features(device->index).value_or(XdpFeatures{}).xmit;
        }
        table[address] = choose_exit(address, *route, device, xmit->second, neighbour);
        if (table[address].exit == Reach::Exit::neigh && device->ethernet && neighbour.state == NeighbourState::unknown) {
            // The answer is an event; until then the kernel resolves with the first packet.
            (void)netlink.resolve(device->index, next_hop).ok();
        }
    }
    const bool changed = table != table_;
    table_ = std::move(table);
    return changed;
}

void Reacher::keep_fresh(Netlink& netlink) {
    std::set<std::pair<std::uint32_t, IpAddress>> hops;
    for (const auto& [address, reach] : table_) {
        if (reach.exit == Reach::Exit::xmit || reach.exit == Reach::Exit::peer) {
            hops.emplace(reach.ifindex, reach.next_hop);
        }
    }
    for (const auto& [ifindex, hop] : hops) {
        const auto now = netlink.neighbour(ifindex, hop);
        if (now.ok() && now->state != NeighbourState::usable) {
            (void)netlink.resolve(ifindex, hop).ok();
        }
    }
}

}  // namespace penstock::apply
