// SPDX-License-Identifier: Apache-2.0
#include "ctl/apply/reacher.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

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

struct Reacher::Lookup {
    Netlink& netlink;
    std::unordered_map<std::uint32_t, const Interface*> by_index;
    std::unordered_map<std::uint32_t, bool> transmits;

    Lookup(const std::vector<Interface>& interfaces, Netlink& net) : netlink(net) {
        for (const Interface& interface : interfaces) {
            by_index.emplace(interface.index, &interface);
        }
    }

    bool transmits_xdp(std::uint32_t ifindex) {
        const auto [place, added] = transmits.try_emplace(ifindex, false);
        if (added) {
            place->second = netlink.xdp_features(ifindex).value_or(XdpFeatures{}).xmit;
        }
        return place->second;
    }

    // Also notes the hop if its MAC makes a better exit.
    Reach reach(const IpAddress& address, std::set<Hop>& hops) {
        const auto route = netlink.route_to(address);
        if (!route.ok()) {
            return {.why = route.error().message()};
        }
        const auto found = by_index.find(route->ifindex);
        if (found == by_index.end() || route->local) {
            return choose_exit(address, *route, nullptr, false, {});
        }
        const Interface* device = found->second;
        const bool xdp = transmits_xdp(device->index);
        const IpAddress next_hop = route->gateway.value_or(address);
        if (choose_exit(address, *route, device, xdp, {.state = NeighbourState::usable}).exit == Reach::Exit::neigh) {
            return choose_exit(address, *route, device, xdp, {});
        }
        const Neighbour neighbour = netlink.neighbour(device->index, next_hop).value_or({});
        if (neighbour.state == NeighbourState::unknown) {
            // The answer is an event; until then the kernel resolves with the first packet.
            (void)netlink.resolve(device->index, next_hop).ok();
        }
        hops.emplace(device->index, next_hop);
        return choose_exit(address, *route, device, xdp, neighbour);
    }
};

bool Reacher::follow(const std::unordered_set<IpAddress>& addresses, const std::vector<Interface>& interfaces, Netlink& netlink) {
    bool changed = std::erase_if(table_, [&](const auto& entry) { return !addresses.contains(entry.first); }) != 0;
    Lookup lookup(interfaces, netlink);
    for (const IpAddress& address : addresses) {
        if (!table_.contains(address)) {
            table_.emplace(address, lookup.reach(address, hops_));
            changed = true;
        }
    }
    return changed;
}

namespace {

// Whether it is another one now.
bool put(Reach& reach, Reach now) {
    const bool other = now != reach;
    reach = std::move(now);
    return other;
}

}  // namespace

bool Reacher::refresh(const std::vector<Interface>& interfaces, Netlink& netlink) {
    Lookup lookup(interfaces, netlink);
    bool changed = false;
    hops_.clear();
    for (auto& [address, reach] : table_) {
        changed |= put(reach, lookup.reach(address, hops_));
    }
    return changed;
}

bool Reacher::refresh(const std::set<Hop>& hops, const std::vector<Interface>& interfaces, Netlink& netlink) {
    Lookup lookup(interfaces, netlink);
    bool changed = false;
    for (auto& [address, reach] : table_) {
        if (hops.contains({reach.ifindex, reach.next_hop})) {
            changed |= put(reach, lookup.reach(address, hops_));
        }
    }
    return changed;
}

void Reacher::keep_fresh(Netlink& netlink) {
    for (const auto& [ifindex, hop] : hops_) {
        const auto now = netlink.neighbour(ifindex, hop);
        if (now.ok() && now->state != NeighbourState::usable) {
            (void)netlink.resolve(ifindex, hop).ok();
        }
    }
}

}  // namespace penstock::apply
