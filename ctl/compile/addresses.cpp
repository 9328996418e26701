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

bool has(const GatewayFront& gateway, const IpAddress& ip) {
    return std::find(gateway.addresses.begin(), gateway.addresses.end(), ip) != gateway.addresses.end();
}

void add(GatewayFront& gateway, const IpAddress& ip) {
    if (!has(gateway, ip)) {
        gateway.addresses.push_back(ip);
    }
}

void unprogram(GatewayFront& gateway, ConditionReason reason, std::string message) {
    if (!gateway.unprogrammed) {
        gateway.unprogrammed = Condition{reason, std::move(message)};
    }
}

std::string owner_name(const GatewayFront& gateway) { return "Gateway/" + gateway.object.ns() + "/" + gateway.object.name(); }

// A Gateway, and what it asks for.
struct Asking {
    GatewayFront& gateway;
    std::vector<IpAddress> named;
    bool any = false;  // one that it does not name

    [[nodiscard]] bool names(const IpAddress& ip) const { return std::find(named.begin(), named.end(), ip) != named.end(); }
    // One that it does not name.
    [[nodiscard]] bool was_given(Family family) const {
        return std::any_of(gateway.addresses.begin(), gateway.addresses.end(), [&](const IpAddress& ip) { return ip.family == family && !names(ip); });
    }
};

void read_wanted(Asking& asking, const model::GatewayAddress& wanted, const Options& options) {
    GatewayFront& gateway = asking.gateway;
    if (wanted.type != kIpType) {
        gateway.refused = gateway.refused ? gateway.refused
                                          : Condition{ConditionReason::GatewayAccepted_unsupported_address,
                                                      "addresses of type " + wanted.type + " are not supported: IPAddress is"};
        return;
    }
    if (wanted.value.empty()) {
        asking.any = true;
        return;
    }
    const auto ip = IpAddress::parse(wanted.value);
    if (!ip || !is_usable(*ip, gateway, options)) {
        unprogram(gateway, ConditionReason::GatewayProgrammed_address_not_usable,
                  "address " + wanted.value + (ip ? " is not one that this edge may use" : " is not an IP address"));
        return;
    }
    asking.named.push_back(*ip);
}

Asking read_asking(GatewayFront& gateway, const Options& options) {
    const auto& wanted = gateway.object.spec->addresses;
    Asking asking{.gateway = gateway, .named = {}, .any = wanted.empty()};
    for (const auto& address : wanted) {
        read_wanted(asking, address, options);
    }
    return asking;
}

// Who gets which address. What a pool gave stays; what is named, by the oldest Gateway first, goes before what is given out anew.
// No two Gateways have an address of a pool: they would need to agree on ports.
class Chooser {
public:
    Chooser(std::vector<GatewayFront>& gateways, const Options& options) : options_(options) {
        for (GatewayFront& gateway : gateways) {
            Asking asking = read_asking(gateway, options);
            if (!gateway.refused) {
                (gateway.pool != nullptr ? pooled_ : others_).push_back(std::move(asking));
            }
        }
    }

    // Who has what of a pool.
    AddressBook choose(const AddressBook* told, const AddressBook* before) {
        for (const AddressBook* book : {told, before}) {
            for (Asking& one : pooled_) {
                keep(one, book);
            }
        }
        for (Asking& one : others_) {
            serve_without_pool(one);
        }
        for (Asking& one : pooled_) {
            claim(one);
        }
        for (Asking& one : pooled_) {
            give_free(one);
        }
        return finish();
    }

private:
    // What it has by `book`, unless it has something already.
    void keep(Asking& one, const AddressBook* book) {
        if (book == nullptr || !one.gateway.addresses.empty()) {
            return;
        }
        const auto had = book->find(owner_name(one.gateway));
        if (had == book->end()) {
            return;
        }
        for (const IpAddress& ip : had->second) {
            if (may_keep(one, ip) && taken_.insert(ip).second) {
                one.gateway.addresses.push_back(ip);
            }
        }
    }

    // One of each family. What it names is not given: it claims that.
    static bool may_keep(const Asking& one, const IpAddress& ip) {
        return one.gateway.pool->contains(ip) && one.any && !one.names(ip) && !one.was_given(ip.family);
    }

    void serve_without_pool(Asking& one) {
        for (const IpAddress& ip : one.named) {
            add(one.gateway, ip);
        }
        for (std::size_t i = 0; one.any && i < options_.node_addresses.size(); ++i) {
            add(one.gateway, options_.node_addresses[i]);
        }
    }

    // What it names and does not have yet.
    void claim(Asking& one) {
        for (const IpAddress& ip : one.named) {
            if (has(one.gateway, ip)) {
                continue;
            }
            if (taken_.insert(ip).second) {
                add(one.gateway, ip);
            } else {
                unprogram(one.gateway, ConditionReason::GatewayProgrammed_address_not_usable, "address " + ip.text() + " belongs to another Gateway");
            }
        }
    }

    // One of each family that the pool has.
    void give_free(Asking& one) {
        for (const Family family : {Family::v4, Family::v6}) {
            if (!one.any || one.was_given(family) || !one.gateway.pool->has(family)) {
                continue;
            }
            if (const auto ip = one.gateway.pool->free_one(family, owner_name(one.gateway), taken_)) {
                taken_.insert(*ip);
                add(one.gateway, *ip);
            } else {
                unprogram(one.gateway, ConditionReason::GatewayProgrammed_address_not_assigned, "every address of its class is in use");
            }
        }
    }

    AddressBook finish() {
        AddressBook book;
        for (Asking& one : pooled_) {
            order(one);
            if (!one.gateway.addresses.empty()) {
                book.emplace(owner_name(one.gateway), one.gateway.addresses);
            }
        }
        for (const auto* list : {&pooled_, &others_}) {
            for (const Asking& one : *list) {
                tell(one.gateway);
            }
        }
        return book;
    }

    // As it names them, then the others.
    static void order(Asking& one) {
        std::stable_sort(one.gateway.addresses.begin(), one.gateway.addresses.end(), [&](const IpAddress& left, const IpAddress& right) {
            return std::find(one.named.begin(), one.named.end(), left) < std::find(one.named.begin(), one.named.end(), right);
        });
    }

    static void tell(GatewayFront& gateway) {
        for (const IpAddress& ip : gateway.addresses) {
            gateway.status_addresses.push_back({std::string(kIpType), ip.text()});
        }
        if (gateway.addresses.empty()) {
            unprogram(gateway, ConditionReason::GatewayProgrammed_address_not_assigned, "this edge has no address to give it");
        }
    }

    const Options& options_;
    std::vector<Asking> pooled_;  // oldest first, as the next
    std::vector<Asking> others_;
    std::set<IpAddress> taken_;
};

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
    if (AddressBook chosen = Chooser(front.gateways, options).choose(told, book.get()); book == nullptr || chosen != *book) {
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
