// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/conflicts.hpp"

#include <algorithm>
#include <map>
#include <tuple>

namespace penstock::compile {
namespace {

using PortKey = std::tuple<Transport, std::uint16_t>;

// Listeners of one kind share a port by host name; TCP and UDP have none, so there is room for one.
enum class Group { http, tls, tcp, udp };

Group group_of(fb::ListenerMode mode) {
    switch (mode) {
        case fb::ListenerMode::Http: return Group::http;
        case fb::ListenerMode::Https:
        case fb::ListenerMode::TlsPassthrough:
        case fb::ListenerMode::TlsTerminate: return Group::tls;
        case fb::ListenerMode::Tcp: return Group::tcp;
        case fb::ListenerMode::Udp: return Group::udp;
    }
    return Group::http;
}

enum class Clash { none, protocol, hostname };

Clash clash(const Listener& one, const Listener& other) {
    const Group group = group_of(*one.mode);
    if (group != group_of(*other.mode) || group == Group::tcp || group == Group::udp) {
        return Clash::protocol;
    }
    return one.hostname == other.hostname ? Clash::hostname : Clash::none;
}

void mark(Listener& listener, Clash what, const Listener& other) {
    if (listener.conflicted) {
        return;  // the first clash found is told
    }
    const bool protocol = what == Clash::protocol;
    const std::string message = (protocol ? "the protocol on port " : "the host name on port ") + std::to_string(listener.spec->port) +
                                " conflicts with that of " + name_for(listener, other);
    listener.conflicted =
        Condition{protocol ? ConditionReason::ListenerConflicted_protocol_conflict : ConditionReason::ListenerConflicted_hostname_conflict, message};
    listener.refused =
        Condition{protocol ? ConditionReason::ListenerAccepted_protocol_conflict : ConditionReason::ListenerAccepted_hostname_conflict, message};
}

void weigh(Listener& listener, Listener& before) {
    const Clash what = clash(listener, before);
    if (what == Clash::none) {
        return;
    }
    mark(listener, what, before);
    if (listener.set == kNone) {
        mark(before, what, listener);
    }
}

}  // namespace

std::string name_for(const Listener& listener, const Listener& other) {
    const bool may_know = listener.set == kNone || other.set == kNone || listener.owner->key.ns == other.owner->key.ns;
    return may_know ? "listener " + other.name : "a listener of another ListenerSet";
}

void find_conflicts(Front& front, const std::vector<std::size_t>& order) {
    std::map<PortKey, std::vector<std::size_t>> claims;
    for (const std::size_t index : order) {
        Listener& listener = front.listeners[index];
        if (!listener.mode) {
            continue;
        }
        auto& ports = claims[{listener.transport, static_cast<std::uint16_t>(listener.spec->port)}];
        for (const std::size_t other : ports) {
            weigh(listener, front.listeners[other]);
        }
        // A set's loser claims nothing; the Gateway's own losers keep the place closed for sets.
        if (listener.set == kNone || !listener.conflicted) {
            ports.push_back(index);
        }
    }
}

}  // namespace penstock::compile
