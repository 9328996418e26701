// SPDX-License-Identifier: Apache-2.0
#include "ctl/plan/holdings.hpp"

#include <algorithm>
#include <utility>

#include "userspace/base/maglev.hpp"

namespace penstock::plan {

namespace {

constexpr int kOwn = 2;      // the node's own address: nobody else may have it
constexpr int kOnLink = 1;   // in one of its networks

void sooner(std::optional<Holdings::Time>& when, Holdings::Time other) { when = when ? std::min(*when, other) : other; }

constexpr std::uint32_t kSpreadMs = 60'000;

// So that nodes which gave one address up for each other do not come back at one moment.
Holdings::milliseconds spread(const std::string& node, const IpAddress& address, std::uint32_t most_ms) {
    return Holdings::milliseconds(maglev_slot(address.text() + "/" + node, most_ms));
}

}  // namespace

bool Network::contains(const IpAddress& other) const {
    const std::size_t skip = address.family == Family::v4 ? 96 : 0;
    if (address.family != other.family || prefix_length == 0) {
        return false;
    }
    for (std::size_t bit = skip; bit < skip + prefix_length; ++bit) {
        if (((address.bytes[bit / 8] ^ other.bytes[bit / 8]) >> (7U - bit % 8) & 1U) != 0) {
            return false;
        }
    }
    return true;
}

// ---- what is told -------------------------------------------------------------------------------------------------------
void Holdings::saw_node(const std::string& name, NodeSeen seen, Time now) {
    if (name == self_) {
        if (!in_contact(now)) {
            contact_since_ = now;
            settle_ = heard_ ? std::min(kSettle, std::chrono::duration_cast<milliseconds>(now - *heard_)) : kSettle;
        }
        heard_ = now;
    }
    const auto found = nodes_.find(name);
    const bool was_alive = found != nodes_.end() && alive(name, now);
    const Time since = was_alive && !seen.leaving ? found->second.since : now;
    nodes_.insert_or_assign(name, Node{.seen = std::move(seen), .changed = now, .since = since});
}

void Holdings::wrote(const IpAddress& address, bool accepted, Time now, milliseconds asked) {
    writing_.erase(address);
    if (!accepted) {
        write_again_[address] = now + std::clamp(asked, kWriteAgain, kWriteAgainMax);
        refused_.erase(address);  // a hand-over may have failed: the machine tells again
    }
}

void Holdings::refused(const IpAddress& address, Time now) { refused_.try_emplace(address, Refusal{.until = now + kRefused}); }

void Holdings::claimed(const IpAddress& address, Time now) {
    if (const auto asked = silences_.find(address); asked != silences_.end()) {
        asked->second.answered();
    }
    if (standing_in_.erase(address) != 0) {
        return;
    }
    if (const auto yielded = yielded_.find(address); yielded != yielded_.end()) {
        yielded->second = now + kSilence + spread(self_, address, kSpreadMs);  // it is still there
        return;
    }
    const auto [found, added] = claims_.try_emplace(address, Claim{.at = now, .open = true, .defended = {}});
    if (!added && !found->second.open) {
        found->second.at = now;
        found->second.open = true;
    }
}

// ---- who is there -------------------------------------------------------------------------------------------------------
// Whether we have heard others for long enough to say who is silent.
bool Holdings::judges(Time now) const { return in_contact(now) && settled(now); }

// Not everybody is back, perhaps; this one was.
bool Holdings::judges(const Node& node, Time now) const {
    return judges(now) || (in_contact(now) && contact_since_ && node.changed - *contact_since_ >= kBack);
}

bool Holdings::gone(const Node& node, Time now) const { return judges(node, now) && now - node.changed > kStale && *heard_ - node.changed >= kEvidence; }

bool Holdings::alive(const std::string& node, Time now) const {
    const auto found = nodes_.find(node);
    return found != nodes_.end() && !found->second.seen.leaving && !gone(found->second, now);
}

std::vector<std::string> Holdings::alive_nodes(Time now) const {
    std::vector<std::string> names;
    for (const auto& [name, node] : nodes_) {
        if (node.seen.shares && alive(name, now)) {
            names.push_back(name);
        }
    }
    return names;
}

std::set<std::string> Holdings::others_renewing(const std::set<std::string>& before, Time now) const {
    std::set<std::string> names;
    for (const auto& [name, node] : nodes_) {
        const bool renewing = now - node.changed <= kStale || (!judges(now) && before.contains(name));
        if (name != self_ && !node.seen.leaving && renewing) {
            names.insert(name);
        }
    }
    return names;
}

std::vector<std::string> Holdings::others_alive(Time now) const {
    std::vector<std::string> names = alive_nodes(now);
    std::erase(names, self_);
    return names;
}

std::vector<std::string> Holdings::others_silent(milliseconds since, Time now) const {
    std::vector<std::string> names;
    for (const auto& [name, node] : nodes_) {
        if (name != self_ && judges(now) && now - node.changed >= since) {
            names.push_back(name);
        }
    }
    return names;
}

int Holdings::fitness(const std::string& node, const IpAddress& address) const {
    const auto found = nodes_.find(node);
    int best = 0;
    if (found != nodes_.end()) {
        for (const Network& network : node == self_ && here_ ? *here_ : found->second.seen.networks) {
            best = std::max(best, network.address == address ? kOwn : network.contains(address) ? kOnLink : 0);
        }
    }
    return best;
}

Holdings::Score Holdings::score_of(const std::string& node, const IpAddress& address) const {
    return {fitness(node, address), maglev_slot(node + "/" + address.text(), UINT32_MAX)};
}

// Who should have it if nobody had it; "" without a live node.
std::string Holdings::heir_of(const IpAddress& address, const std::vector<std::string>& alive) const {
    std::string best;
    Score best_score{-1, 0};
    for (const std::string& name : alive) {
        if (const Score score = score_of(name, address); score > best_score) {
            best_score = score;
            best = name;
        }
    }
    return best;
}

Holdings::Moment Holdings::moment(Time now) const {
    Moment at{.now = now, .alive = alive_nodes(now), .counts = {}};
    for (const auto& [address, lease] : leases_) {
        at.counts[lease.holder] += wanted_ && wanted_->contains(address) ? 1 : 0;
    }
    return at;
}

// ---- what follows -------------------------------------------------------------------------------------------------------
// Whether an address whose Lease names us is left to somebody who claims it. In contact, the Lease as it was after the claim decides.
bool Holdings::yields(const IpAddress& address, Time now, Decision& decision) {
    if (const auto yielded = yielded_.find(address); yielded != yielded_.end()) {
        if (now < yielded->second && !in_contact(now)) {
            sooner(decision.again, yielded->second);
            return true;
        }
        yielded_.erase(yielded);
        claims_.erase(address);
        return false;
    }
    const auto found = claims_.find(address);
    if (found == claims_.end() || !found->second.open) {
        return false;
    }
    Claim& claim = found->second;
    if (in_contact(now) && *heard_ > claim.at) {
        claim.open = false;
        if (!claim.defended || now - *claim.defended >= kDefend) {
            claim.defended = now;
            decision.defend.push_back(address);
        }
        return false;
    }
    if (in_contact(now)) {
        sooner(decision.again, *heard_ + kContact + milliseconds(1));
        return false;
    }
    yielded_[address] = now + kSilence + spread(self_, address, kSpreadMs);
    sooner(decision.again, yielded_[address]);
    decision.yielded.push_back(address);
    return true;
}

// More than its share, while the heir has less than that.
bool Holdings::overloaded(const std::string& heir, Moment& at) const {
    const std::size_t nodes = std::max<std::size_t>(1, at.alive.size());
    const std::size_t share = (wanted_->size() + nodes - 1) / nodes;
    return at.counts[self_] > share && at.counts[heir] < share;
}

// To who is as fit, and may be able to put it. Once in a while: if nobody can, it shall not wander about.
std::optional<LeaseWrite> Holdings::give_away(const IpAddress& address, const AddressLease& lease, const Moment& at) {
    const auto found = refused_.find(address);
    if (found == refused_.end() || found->second.moved || writing_.contains(address)) {
        return std::nullopt;
    }
    std::vector<std::string> others = at.alive;
    std::erase(others, self_);
    const std::string to = heir_of(address, others);
    if (to.empty() || fitness(to, address) < fitness(self_, address) || !judges(nodes_.at(to), at.now)) {
        return std::nullopt;
    }
    found->second.moved = true;
    return LeaseWrite{.what = LeaseWrite::What::hand_over, .address = address, .holder = to, .version = lease.version};
}

// A node that came back gets addresses again where the balance asks for it, late and one by one: each move costs connections.
std::optional<LeaseWrite> Holdings::to_hand_over(const IpAddress& address, const AddressLease& lease, Moment& at, Decision& decision) {
    if (at.alive.size() < 2) {
        return std::nullopt;
    }
    if (auto write = give_away(address, lease, at)) {
        return write;
    }
    const std::string to = heir_of(address, at.alive);
    if (to.empty() || to == self_ || !judges(nodes_.at(to), at.now)) {
        return std::nullopt;  // nobody, or who may not be there
    }
    const LeaseWrite write{.what = LeaseWrite::What::hand_over, .address = address, .holder = to, .version = lease.version};
    if (fitness(to, address) > fitness(self_, address)) {
        return write;  // we are in the wrong network for it
    }
    if (!overloaded(to, at)) {
        return std::nullopt;
    }
    const Time steady = std::max(nodes_.at(to).since, *contact_since_) + kSteady;
    const Time when = handed_over_ ? std::max(steady, *handed_over_ + kHandOver) : steady;
    if (at.now < when) {
        sooner(decision.again, when);
        return std::nullopt;
    }
    handed_over_ = at.now;
    return write;
}

std::optional<LeaseWrite> Holdings::step(const IpAddress& address, const AddressLease* lease, Moment& at, Decision& decision) {
    using What = LeaseWrite::What;
    const bool ours = lease != nullptr && lease->holder == self_;
    const bool wanted = !wanted_ || wanted_->contains(address);  // before that is told, what its Lease says is ours stays
    if (!ours) {
        claims_.erase(address);
        yielded_.erase(address);
    }
    if (!wanted) {
        standing_in_.erase(address);
        silences_.erase(address);
    }
    if (ours && wanted && !yields(address, at.now, decision)) {
        standing_in_.erase(address);
        silences_.erase(address);
        decision.held.insert(address);
    } else if (wanted_ && wanted && stands_in(address, lease, at, decision)) {
        decision.held.insert(address);
    }
    if (!wanted_ || !in_contact(at.now)) {
        return std::nullopt;
    }
    const bool free = lease == nullptr || lease->holder.empty() || !alive(lease->holder, at.now);
    if (!wanted) {
        const bool remove = lease != nullptr && (ours || (free && heir_of(address, at.alive) == self_));
        return remove ? std::optional(LeaseWrite{What::remove, address, "", lease->version}) : std::nullopt;
    }
    if (ours) {
        return to_hand_over(address, *lease, at, decision);
    }
    if (!free || heir_of(address, at.alive) != self_) {
        return std::nullopt;
    }
    return LeaseWrite{lease == nullptr ? What::create : What::take, address, self_, lease == nullptr ? "" : lease->version};
}

// When time alone changes an answer: somebody falls silent, or we have been in contact for long enough to say so.
void Holdings::look_again(Time now, Decision& decision) const {
    for (const milliseconds after : {kOverdue, kContact}) {
        if (nodes_.size() > 1 && heard_ && now - *heard_ <= after) {
            sooner(decision.again, *heard_ + after + milliseconds(1));
        }
    }
    if (contact_since_ && !settled(now)) {
        sooner(decision.again, *contact_since_ + settle_ + milliseconds(1));
    }
    for (const auto& [name, node] : nodes_) {
        if (name != self_ && now - node.changed <= kStale && judges(node, now)) {
            sooner(decision.again, node.changed + kStale + milliseconds(1));
        }
    }
}

Holdings::Decision Holdings::decide(Time now) {
    Decision decision;
    std::set<IpAddress> all = wanted_.value_or(std::set<IpAddress>());
    for (const auto& [address, lease] : leases_) {
        all.insert(address);
    }
    std::erase_if(silences_, [&](const auto& entry) { return !all.contains(entry.first); });
    std::erase_if(standing_in_, [&](const auto& entry) { return !all.contains(entry.first); });
    std::erase_if(refused_, [&](const auto& entry) { return entry.second.until <= now; });
    std::erase_if(write_again_, [&](const auto& entry) { return entry.second <= now; });
    Moment at = moment(now);
    for (const IpAddress& address : all) {
        const auto lease = leases_.find(address);
        const auto write = step(address, lease != leases_.end() ? &lease->second : nullptr, at, decision);
        if (!write || writing_.contains(address)) {
            continue;
        }
        if (const auto later = write_again_.find(address); later != write_again_.end()) {
            sooner(decision.again, later->second);
            continue;
        }
        writing_.insert(address);
        decision.writes.push_back(*write);
    }
    look_again(now, decision);
    return decision;
}

}  // namespace penstock::plan
