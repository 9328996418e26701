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
constexpr std::size_t kAddressesMax = 16;  // of a Gateway: its status has no more, and spec.addresses neither

bool is_unicast(const IpAddress& ip) {
    const bool multicast = ip.family == Family::v6 ? ip.bytes[0] == 0xff : ip.bytes[12] >= 224;
    return !ip.is_any() && !multicast;
}

bool is_usable(const IpAddress& ip, const GatewayFront& gateway, const AddressContext& context) {
    if (gateway.pool != nullptr) {
        return is_unicast(ip) && gateway.pool->contains(ip);
    }
    const auto& own = context.options.node_addresses;
    return is_unicast(ip) && (!context.options.names_only_own || std::find(own.begin(), own.end(), ip) != own.end() || context.others.contains(ip));
}

std::string why_not_usable(const GatewayFront& gateway) {
    return gateway.pool != nullptr ? "is not in the pool of its GatewayClass" : "is no node's own, and its GatewayClass has no pool";
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
    std::string fault;  // of its GatewayClass
    std::vector<IpAddress> named;
    bool any = false;  // one that it does not name

    [[nodiscard]] bool names(const IpAddress& ip) const { return std::find(named.begin(), named.end(), ip) != named.end(); }
    // For one that it does not name.
    [[nodiscard]] bool has_room() const {
        const auto given = std::count_if(gateway.addresses.begin(), gateway.addresses.end(), [&](const IpAddress& ip) { return !names(ip); });
        return named.size() + static_cast<std::size_t>(given) < kAddressesMax;
    }
    [[nodiscard]] bool was_given(Family family) const {
        return std::any_of(gateway.addresses.begin(), gateway.addresses.end(), [&](const IpAddress& ip) { return ip.family == family && !names(ip); });
    }
};

void read_wanted(Asking& asking, const model::GatewayAddress& wanted, const AddressContext& context) {
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
    if (!ip || (asking.fault.empty() && !is_usable(*ip, gateway, context))) {
        unprogram(gateway, ConditionReason::GatewayProgrammed_address_not_usable,
                  "address " + wanted.value + " " + (!ip ? "is not an IP address" : is_unicast(*ip) ? why_not_usable(gateway) : "is no address of one machine"));
        return;
    }
    asking.named.push_back(*ip);
}

Asking read_asking(GatewayFront& gateway, std::string fault, const AddressContext& context) {
    const auto& wanted = gateway.object.spec->addresses;
    Asking asking{.gateway = gateway, .fault = std::move(fault), .named = {}, .any = wanted.empty()};
    for (const auto& address : wanted) {
        read_wanted(asking, address, context);
    }
    return asking;
}

// Who gets which address. What a Gateway has of a pool stays; what is named, by the oldest Gateway first, goes before what is given out anew.
// No two Gateways have an address unless both are without a pool: they would need to agree on ports. While a Gateway is refused nobody else gets what it has, and
// while a pool cannot be read its Gateways go on with what they have.
class Chooser {
public:
    Chooser(Front& front, const AddressContext& context)
        : context_(context), own_(context.options.node_addresses.begin(), context.options.node_addresses.end()) {
        if (context.options.metrics) {
            own_.insert(context.options.metrics->address);
        }
        for (GatewayFront& gateway : front.gateways) {
            Asking asking = read_asking(gateway, class_fault(front, gateway), context);
            if (!asking.fault.empty() || (gateway.refused && gateway.pool != nullptr)) {
                troubled_.push_back(std::move(asking));
            } else if (!gateway.refused) {
                (gateway.pool != nullptr ? pooled_ : others_).push_back(std::move(asking));
            }
        }
    }

    // Who has what of a pool.
    AddressBook choose(const AddressBook* before) {
        for (const AddressBook* book : {context_.told, before}) {
            for (auto* list : {&pooled_, &troubled_}) {
                for (Asking& one : *list) {
                    keep(one, book);
                }
            }
        }
        for (Asking& one : others_) {
            serve_without_pool(one);
        }
        for (const Asking& one : others_) {
            taken_.insert(one.gateway.addresses.begin(), one.gateway.addresses.end());
        }
        for (Asking& one : pooled_) {
            claim(one);
        }
        taken_.insert(own_.begin(), own_.end());
        taken_.insert(context_.others.begin(), context_.others.end());
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
            if (is_left(one, ip, book) && may_keep(one, ip) && (one.names(ip) || one.has_room()) && taken_.insert(ip).second) {
                one.gateway.addresses.push_back(ip);
            }
        }
    }

    // Whether the pool of its class has it still. One that cannot be read had what the Gateway has: unless that is of another class, or, as a
    // status tells that of Gateways without a pool too, a node's own.
    bool is_left(const Asking& one, const IpAddress& ip, const AddressBook* book) const {
        if (one.fault.empty()) {
            return one.gateway.pool->contains(ip);
        }
        return is_unicast(ip) && !changed_class(one.gateway) && !context_.others.contains(ip) && !(book == context_.told && own_.contains(ip));
    }

    bool changed_class(const GatewayFront& gateway) const {
        const model::ObjectPtr before = context_.before.get(model::Kind::gateway, gateway.object.ns(), gateway.object.name());
        return before != nullptr && model::body_of<model::Gateway>(*before)->gateway_class_name != gateway.object.spec->gateway_class_name;
    }

    // What it names, and of what was given one of each family.
    static bool may_keep(const Asking& one, const IpAddress& ip) { return one.gateway.refused || one.names(ip) || (one.any && !one.was_given(ip.family)); }

    // Such Gateways share addresses, but not with those that a pool gave.
    void serve_without_pool(Asking& one) {
        for (const IpAddress& ip : one.named) {
            if (taken_.contains(ip)) {
                tell_taken(one.gateway, ip);
            } else {
                add(one.gateway, ip);
            }
        }
        for (std::size_t i = 0; one.any && one.has_room() && i < context_.options.node_addresses.size(); ++i) {
            if (const IpAddress& ip = context_.options.node_addresses[i]; !taken_.contains(ip)) {
                add(one.gateway, ip);
            }
        }
    }

    static void tell_taken(GatewayFront& gateway, const IpAddress& ip) {
        unprogram(gateway, ConditionReason::GatewayProgrammed_address_not_usable, "address " + ip.text() + " belongs to another Gateway");
    }

    // What it names and does not have yet.
    void claim(Asking& one) {
        for (const IpAddress& ip : one.named) {
            if (has(one.gateway, ip)) {
                continue;
            }
            if (own_.contains(ip)) {
                unprogram(one.gateway, ConditionReason::GatewayProgrammed_address_not_usable, "address " + ip.text() + " is the node's own");
            } else if (taken_.insert(ip).second) {
                add(one.gateway, ip);
            } else {
                tell_taken(one.gateway, ip);
            }
        }
    }

    // One of each family that the pool has.
    void give_free(Asking& one) {
        for (const Family family : {Family::v4, Family::v6}) {
            if (!one.any || !one.has_room() || one.was_given(family) || !one.gateway.pool->has(family)) {
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
        for (auto* list : {&pooled_, &troubled_}) {
            for (Asking& one : *list) {
                order(one);
                if (!one.gateway.addresses.empty()) {
                    book.emplace(owner_name(one.gateway), one.gateway.addresses);
                }
            }
        }
        for (Asking& one : troubled_) {
            judge(one);
        }
        for (const auto* list : {&pooled_, &others_, &troubled_}) {
            for (const Asking& one : *list) {
                tell(one.gateway, list == &others_ ? of_all_nodes(one) : one.gateway.addresses);
            }
        }
        return book;
    }

    // Whether it is served.
    static void judge(Asking& one) {
        GatewayFront& gateway = one.gateway;
        if (!gateway.refused && gateway.addresses.empty()) {
            gateway.refused = Condition{ConditionReason::GatewayAccepted_invalid_parameters, one.fault};
        }
        for (const IpAddress& ip : one.named) {
            if (!has(gateway, ip)) {
                unprogram(gateway, ConditionReason::GatewayProgrammed_address_not_usable, "address " + ip.text() + " is not given: " + one.fault);
            }
        }
        if (gateway.refused) {
            gateway.addresses.clear();
        }
    }

    // As it names them, then the others.
    static void order(Asking& one) {
        std::stable_sort(one.gateway.addresses.begin(), one.gateway.addresses.end(), [&](const IpAddress& left, const IpAddress& right) {
            return std::find(one.named.begin(), one.named.end(), left) < std::find(one.named.begin(), one.named.end(), right);
        });
    }

    // Without a pool each node listens on its own addresses: those that are named, then all others, in the same order on every node.
    std::vector<IpAddress> of_all_nodes(const Asking& one) const {
        std::vector<IpAddress> list = one.gateway.addresses;
        if (!one.any || context_.others.empty()) {
            return list;
        }
        std::set<IpAddress> rest = context_.others;
        std::erase_if(rest, [this](const IpAddress& ip) { return std::any_of(pooled_.begin(), pooled_.end(), [&](const Asking& other) { return has(other.gateway, ip); }); });
        rest.insert(list.begin(), list.end());
        std::erase_if(list, [&](const IpAddress& ip) { return !one.names(ip); });
        std::erase_if(rest, [&](const IpAddress& ip) { return one.names(ip); });
        list.insert(list.end(), rest.begin(), rest.end());
        list.resize(std::min(list.size(), kAddressesMax));
        return list;
    }

    static void tell(GatewayFront& gateway, const std::vector<IpAddress>& addresses) {
        for (const IpAddress& ip : addresses) {
            gateway.status_addresses.push_back({std::string(kIpType), ip.text()});
        }
        if (gateway.addresses.empty() && !gateway.refused) {
            unprogram(gateway, ConditionReason::GatewayProgrammed_address_not_assigned, "this edge has no address to give it");
        }
    }

    const AddressContext& context_;
    std::set<IpAddress> own_;
    std::vector<Asking> pooled_;    // oldest first, as the next two
    std::vector<Asking> others_;
    std::vector<Asking> troubled_;  // their class has a pool, or had one, and they get nothing new of it
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

std::string class_fault(const Front& front, const GatewayFront& gateway) {
    const auto found = std::find_if(front.classes.begin(), front.classes.end(), [&](const ClassFront& entry) { return entry.object.name() == gateway.object.spec->gateway_class_name; });
    return found == front.classes.end() || found->good ? "" : "its GatewayClass is not accepted: " + found->status.conditions.front().message;
}

std::vector<ClaimedAddress> assign_addresses(Front& front, const AddressContext& context, AddressBookPtr& book) {
    const Options& options = context.options;
    if (AddressBook chosen = Chooser(front, context).choose(book.get()); book == nullptr || chosen != *book) {
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
            if (gateway.pool == nullptr && context.others.contains(ip) && !own.contains(ip)) {
                continue;  // that node has it, and nobody else is to
            }
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
