// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/addresses.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

namespace penstock::compile {
namespace {

constexpr std::string_view kIpType = "IPAddress";

bool is_unicast(const IpAddress& ip) {
    const bool multicast = ip.family == Family::v6 ? ip.bytes[0] == 0xff : ip.bytes[12] >= 224;
    return !ip.is_any() && !multicast;
}

bool is_usable(const IpAddress& ip, const Options& options) {
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
    if (!ip || !is_usable(*ip, options)) {
        unprogram(gateway, ConditionReason::GatewayProgrammed_address_not_usable,
                  "address " + wanted.value + (ip ? " is not one that this edge may use" : " is not an IP address"));
        return;
    }
    add(gateway, *ip);
}

void choose(GatewayFront& gateway, const Options& options) {
    const auto& wanted = gateway.object.spec->addresses;
    bool own = wanted.empty();
    for (const auto& address : wanted) {
        add_requested(gateway, address, options, own);
    }
    for (std::size_t i = 0; own && i < options.node_addresses.size(); ++i) {
        add(gateway, options.node_addresses[i]);
    }
    if (gateway.refused) {
        gateway.addresses.clear();
        gateway.status_addresses.clear();
    } else if (gateway.addresses.empty()) {
        unprogram(gateway, ConditionReason::GatewayProgrammed_address_not_assigned, "this edge has no address to give it");
    }
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
    if (lost.empty()) {
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

std::vector<ClaimedAddress> assign_addresses(Front& front, const Options& options) {
    Claims claims;
    if (options.metrics) {
        claims.owner.emplace(Place{options.metrics->address, Transport::tcp, options.metrics->port}, kNone);
    }
    std::map<IpAddress, ClaimedAddress> claimed;
    const std::set<IpAddress> own(options.node_addresses.begin(), options.node_addresses.end());
    for (std::size_t i = 0; i < front.gateways.size(); ++i) {
        GatewayFront& gateway = front.gateways[i];
        choose(gateway, options);
        std::vector<std::size_t> servable;
        for (const std::size_t at : gateway.all_listeners) {
            if (front.listeners[at].servable()) {
                servable.push_back(at);
            }
        }
        if (gateway.refused || over_limits(gateway, claims, servable.size(), options.limits)) {
            if (!gateway.refused) {
                gateway.unprogrammed = Condition{ConditionReason::GatewayProgrammed_no_resources,
                                                 "the tables of this edge are full: " + std::to_string(options.limits.listeners_max) + " listeners, " +
                                                     std::to_string(options.limits.vips_max) + " addresses with ports"};
            }
            continue;
        }
        claims.listeners += servable.size();
        for (const std::size_t at : servable) {
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
