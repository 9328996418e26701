// SPDX-License-Identifier: Apache-2.0
// Holdings while the API server is away: who stands in for a holder that is silent on the link.
#include <algorithm>

#include "ctl/plan/holdings.hpp"
#include "userspace/base/maglev.hpp"

namespace penstock::plan {

namespace {

constexpr unsigned kNear = 2;           // so many heirs ask often; those after them are for the case that these die, too
constexpr unsigned kSilentRounds = 4;
constexpr unsigned kSilentRoundsFar = 2;
constexpr std::size_t kPeersMax = 16;

}  // namespace

// Among the nodes that lived when the API server was last heard, how many come before us if the holder is gone. Nothing if it is not for us:
// we are not on its link. A holder that gave the address up for a claim comes last.
std::optional<unsigned> Holdings::turn(const IpAddress& address, const std::string& holder) const {
    const auto own = nodes_.find(self_);
    if (!heard_ || own == nodes_.end() || own->second.seen.leaving || fitness(self_, address) == 0) {
        return std::nullopt;
    }
    const Score mine = score_of(self_, address);
    unsigned before = 0;
    for (const auto& [name, node] : nodes_) {
        if (name == self_ || name == holder || !lived(node) || fitness(name, address) == 0) {
            continue;
        }
        before += holder == self_ || score_of(name, address) > mine ? 1 : 0;
    }
    return before;
}

bool Holdings::lived(const Node& node) const { return node.seen.shares && !node.seen.leaving && *heard_ - node.changed <= kStale; }

// Whether this node has an address that its Lease does not give it. When the API server is back the Lease decides, as soon as it tells: it is
// written anew, or its holder is heard again.
bool Holdings::stands_in(const IpAddress& address, const AddressLease* lease, const Moment& at, Decision& decision) {
    const std::string holder = lease != nullptr ? lease->holder : "";
    const std::string version = lease != nullptr ? lease->version : "";
    if (const auto found = standing_in_.find(address); found != standing_in_.end()) {
        const bool told = found->second != version || (judges(at.now) && !holder.empty() && alive(holder, at.now));
        if (!told) {
            ask(address, kAskHeld, at.now, decision);  // who is back shall have it: two of them would not hear of each other for half a minute
            return true;
        }
        standing_in_.erase(found);
        silences_.erase(address);
    }
    const std::optional<unsigned> before = turn(address, holder);
    if (!before || at.now - *heard_ <= kOverdue) {
        silences_.erase(address);
        return false;
    }
    ask(address, *before < kNear ? kAsk : kAskFar, at.now, decision);
    const unsigned enough = *before + (*before < kNear ? kSilentRounds : kSilentRoundsFar);
    if (silences_.at(address).rounds() < enough || in_contact(at.now)) {
        return false;
    }
    silences_.erase(address);
    decision.stands_in.push_back(address);
    if (holder == self_) {
        yielded_.erase(address);
        claims_.erase(address);
    } else {
        standing_in_[address] = version;
    }
    return true;
}

void Holdings::ask(const IpAddress& address, milliseconds round, Time now, Decision& decision) {
    const milliseconds apart = kAskApart * maglev_slot(address.text() + "/" + self_, 4);
    Silence& silence = silences_.try_emplace(address, Silence(now + apart)).first->second;
    if (silence.due(now, round)) {
        decision.ask.push_back(address);
    }
    decision.again = decision.again ? std::min(*decision.again, silence.next()) : silence.next();
}

// The other nodes' own addresses in our networks: their answers say that the link works.
std::vector<IpAddress> Holdings::peers() const {
    std::vector<IpAddress> list;
    const auto own = nodes_.find(self_);
    const std::vector<Network>& here = here_ ? *here_ : own != nodes_.end() ? own->second.seen.networks : std::vector<Network>();
    for (const auto& [name, node] : nodes_) {
        for (const Network& network : name == self_ ? std::vector<Network>() : node.seen.networks) {
            const bool near = std::any_of(here.begin(), here.end(), [&](const Network& one) { return one.contains(network.address); });
            if (near && list.size() < kPeersMax) {
                list.push_back(network.address);
            }
        }
    }
    return list;
}

void Holdings::link_works(const std::set<IpAddress>& addresses) {
    for (const IpAddress& address : addresses) {
        if (const auto found = silences_.find(address); found != silences_.end()) {
            found->second.link_works();
        }
    }
}

}  // namespace penstock::plan
