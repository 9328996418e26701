// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/conflicts.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "ctl/compile/hostname.hpp"

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
                                " conflicts with listener " + other.name;
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

namespace {

bool share_a_name(const Listener& one, const Listener& other) {
    for (const ServingCertificatePtr& mine : one.certificates) {
        for (const std::string& name : mine->names) {
            for (const ServingCertificatePtr& theirs : other.certificates) {
                if (std::binary_search(theirs->names.begin(), theirs->names.end(), name)) {
                    return true;
                }
            }
        }
    }
    return false;
}

}  // namespace

void find_overlaps(Front& front, const std::vector<std::size_t>& listeners) {
    std::map<std::int64_t, std::vector<std::size_t>> ports;
    for (const std::size_t index : listeners) {
        const Listener& listener = front.listeners[index];
        if (listener.mode == fb::ListenerMode::Https && !listener.refused) {
            ports[listener.spec->port].push_back(index);
        }
    }
    for (const auto& [port, group] : ports) {
        for (const std::size_t index : group) {
            Listener& listener = front.listeners[index];
            for (const std::size_t at : group) {
                const Listener& other = front.listeners[at];
                if (at == index || listener.overlapping) {
                    continue;
                }
                if (intersect(listener.hostname, other.hostname)) {
                    listener.overlapping = Condition{ConditionReason::ListenerOverlappingTls_overlapping_hostnames,
                                                     "the host name overlaps with that of listener " + other.name};
                } else if (share_a_name(listener, other)) {
                    listener.overlapping = Condition{ConditionReason::ListenerOverlappingTls_overlapping_certificates,
                                                     "a certificate names the same hosts as one of listener " + other.name};
                }
            }
        }
    }
}

}  // namespace penstock::compile
