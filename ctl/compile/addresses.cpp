// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/addresses.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace penstock::compile {
namespace {

constexpr std::string_view kIpType = "IPAddress";

bool is_unicast(const IpAddress& ip) {
    const bool multicast = ip.family == Family::v6 ? ip.bytes[0] == 0xff : ip.bytes[12] >= 224;
    return !ip.is_any() && !multicast;
}

bool is_usable(const IpAddress& ip, const GatewayFront& gateway, const Options& options) {
    if (gateway.pool != nullptr) {
        return is_unicast(ip) && gateway.pool->contains(ip);
    }
    const auto listed = [&](const std::vector<IpAddress>& list) { return std::find(list.begin(), list.end(), ip) != list.end(); };
    return is_unicast(ip) && (options.usable_addresses.empty() || listed(options.usable_addresses) || listed(options.node_addresses));
}

void add(GatewayFront& gateway, const IpAddress& ip) {
    if (std::find(gateway.addresses.begin(), gateway.addresses.end(), ip) == gateway.addresses.end()) {
        gateway.addresses.push_back(ip);
        gateway.status_addresses.push_back({std::string(kIpType), ip.text()});
    }
}

void unprogram(GatewayFront& gateway, ConditionReason reason, std::string message) {
    if (!gateway.unprogrammed) {
        gateway.unprogrammed = Condition{reason, std::move(message)};
    }
}

// An address that was asked for; nothing: the node's own will do.
void add_requested(GatewayFront& gateway, const model::GatewayAddress& wanted, const Options& options, bool& own) {
    if (wanted.type != kIpType) {
        gateway.refused = gateway.refused ? gateway.refused
                                          : Condition{ConditionReason::GatewayAccepted_unsupported_address,
                                                      "addresses of type " + wanted.type + " are not supported: IPAddress is"};
        return;
    }
    if (wanted.value.empty()) {
        own = true;
        return;
    }
    const auto ip = IpAddress::parse(wanted.value);
    if (!ip || !is_usable(*ip, gateway, options)) {
        unprogram(gateway, ConditionReason::GatewayProgrammed_address_not_usable,
                  "address " + wanted.value + (ip ? " is not one that this edge may use" : " is not an IP address"));
        return;
    }
    add(gateway, *ip);
}

// The addresses that a Gateway names, and whether one that it does not name is wanted, too.
bool choose_requested(GatewayFront& gateway, const Options& options) {
    const auto& wanted = gateway.object.spec->addresses;
    bool own = wanted.empty();
    for (const auto& address : wanted) {
        add_requested(gateway, address, options, own);
    }
    return own;
}

// Who has which address of a pool. No two Gateways have one: they would need to agree on ports.
struct Owners {
    std::set<IpAddress> taken;
    AddressBook now;
};

void claim(GatewayFront& gateway, const std::vector<IpAddress>& asked, Owners& owners) {
    for (const IpAddress& ip : asked) {
        if (owners.taken.insert(ip).second) {
            add(gateway, ip);
        } else {
            unprogram(gateway, ConditionReason::GatewayProgrammed_address_not_usable, "address " + ip.text() + " belongs to another Gateway");
        }
    }
}

std::string owner_name(const GatewayFront& gateway) { return "Gateway/" + gateway.object.ns() + "/" + gateway.object.name(); }

void give(GatewayFront& gateway, const IpAddress& ip, Owners& owners) {
    owners.taken.insert(ip);
    owners.now[owner_name(gateway)].push_back(ip);
    add(gateway, ip);
}

// What it has by `book`, unless it has something already.
void keep_given(GatewayFront& gateway, const AddressBook* book, Owners& owners) {
    if (book == nullptr || !gateway.addresses.empty()) {
        return;
    }
    if (const auto had = book->find(owner_name(gateway)); had != book->end()) {
        for (const IpAddress& ip : had->second) {
            if (gateway.pool->contains(ip) && !owners.taken.contains(ip)) {
                give(gateway, ip, owners);
            }
        }
    }
}

// One of each family that the pool has.
void give_free(GatewayFront& gateway, Owners& owners) {
    const std::vector<IpAddress>& given = owners.now[owner_name(gateway)];
    for (const Family family : {Family::v4, Family::v6}) {
        const bool has_one = std::any_of(given.begin(), given.end(), [&](const IpAddress& ip) { return ip.family == family; });
        if (has_one || !gateway.pool->has(family)) {
            continue;
        }
        if (const auto ip = gateway.pool->free_one(family, owner_name(gateway), owners.taken)) {
            give(gateway, *ip, owners);
        } else {
            unprogram(gateway, ConditionReason::GatewayProgrammed_address_not_assigned, "every address of its class is in use");
        }
    }
}

// What was given out before stays; what is asked for goes before what is given out now.
AddressBook choose(std::vector<GatewayFront>& gateways, const Options& options, const AddressBook* told, const AddressBook* before) {
    Owners owners{.taken = {}, .now = {}};
    std::vector<GatewayFront*> asking;
    std::vector<GatewayFront*> open;
    for (GatewayFront& gateway : gateways) {
        const bool own = choose_requested(gateway, options);
        if (gateway.refused) {
            continue;
        }
        if (gateway.pool == nullptr) {
            for (std::size_t i = 0; own && i < options.node_addresses.size(); ++i) {
                add(gateway, options.node_addresses[i]);
            }
            continue;
        }
        asking.push_back(&gateway);
        if (own) {
            open.push_back(&gateway);
        }
    }
    std::map<const GatewayFront*, std::vector<IpAddress>> asked;
    for (GatewayFront* gateway : asking) {
        asked[gateway] = std::exchange(gateway->addresses, {});
        gateway->status_addresses.clear();
    }
    for (const AddressBook* book : {told, before}) {
        for (GatewayFront* gateway : open) {
            keep_given(*gateway, book, owners);
        }
    }
    for (GatewayFront* gateway : asking) {
        claim(*gateway, asked[gateway], owners);
    }
    for (GatewayFront* gateway : open) {
        give_free(*gateway, owners);
    }
    for (GatewayFront& gateway : gateways) {
        if (gateway.refused) {
            gateway.addresses.clear();
            gateway.status_addresses.clear();
        } else if (gateway.addresses.empty()) {
            unprogram(gateway, ConditionReason::GatewayProgrammed_address_not_assigned, "this edge has no address to give it");
        }
    }
    std::erase_if(owners.now, [](const auto& entry) { return entry.second.empty(); });
    return std::move(owners.now);
}

using Place = std::tuple<IpAddress, Transport, std::uint16_t>;

struct Claims {
    std::map<Place, std::size_t> owner;  // index of the Gateway; kNone: ours
    std::size_t listeners = 0;
};

std::string gateway_name(const GatewayFront& gateway) { return "Gateway " + gateway.object.ns() + "/" + gateway.object.name(); }

// Takes the listener's place on each of the Gateway's addresses that nobody older has.
void place(Front& front, std::size_t index, Listener& listener, Claims& claims) {
    GatewayFront& gateway = front.gateways[index];
    std::string lost;
    for (const IpAddress& ip : gateway.addresses) {
        const Place where{ip, listener.transport, static_cast<std::uint16_t>(listener.spec->port)};
        const auto [found, added] = claims.owner.try_emplace(where, index);
        if (found->second == index) {
            listener.addresses.push_back(ip);
        } else if (lost.empty()) {
            const std::string owner = found->second == kNone ? "the metrics of this edge" : gateway_name(front.gateways[found->second]);
            lost = "port " + std::to_string(listener.spec->port) + " of " + ip.text() + " belongs to " + owner;
        }
    }
    if (lost.empty() || !listener.servable()) {
        return;
    }
    unprogram(gateway, ConditionReason::GatewayProgrammed_address_not_usable, lost);
    if (listener.addresses.empty()) {
        listener.refused = Condition{ConditionReason::ListenerAccepted_port_unavailable, lost};
    }
}

bool over_limits(const GatewayFront& gateway, const Claims& claims, std::size_t listeners, const Limits& limits) {
    return claims.listeners + listeners > limits.listeners_max || claims.owner.size() + listeners * gateway.addresses.size() > limits.vips_max;
}

}  // namespace

std::vector<ClaimedAddress> assign_addresses(Front& front, const Options& options, const AddressBook* told, AddressBookPtr& book) {
    if (AddressBook chosen = choose(front.gateways, options, told, book.get()); book == nullptr || chosen != *book) {
        book = std::make_shared<const AddressBook>(std::move(chosen));
    }
    Claims claims;
    if (options.metrics) {
        claims.owner.emplace(Place{options.metrics->address, Transport::tcp, options.metrics->port}, kNone);
    }
    std::map<IpAddress, ClaimedAddress> claimed;
    const std::set<IpAddress> own(options.node_addresses.begin(), options.node_addresses.end());
    for (std::size_t i = 0; i < front.gateways.size(); ++i) {
        GatewayFront& gateway = front.gateways[i];
        std::vector<std::size_t> claiming;
        for (const std::size_t at : gateway.all_listeners) {
            if (front.listeners[at].claims()) {
                claiming.push_back(at);
            }
        }
        if (gateway.refused || over_limits(gateway, claims, claiming.size(), options.limits)) {
            if (!gateway.refused) {
                gateway.unprogrammed = Condition{ConditionReason::GatewayProgrammed_no_resources,
                                                 "the tables of this edge are full: " + std::to_string(options.limits.listeners_max) + " listeners, " +
                                                     std::to_string(options.limits.vips_max) + " addresses with ports"};
            }
            continue;
        }
        claims.listeners += claiming.size();
        for (const std::size_t at : claiming) {
            place(front, i, front.listeners[at], claims);
        }
        for (const IpAddress& ip : gateway.addresses) {
            claimed.try_emplace(ip, ClaimedAddress{ip, !own.contains(ip), gateway.object.object->key});
        }
    }
    std::vector<ClaimedAddress> out;
    for (auto& [ip, entry] : claimed) {
        out.push_back(std::move(entry));
    }
    return out;
}

}  // namespace penstock::compile
