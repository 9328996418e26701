// SPDX-License-Identifier: Apache-2.0
// Which node has which address, as this node sees it: a state machine without I/O and clock. Each address has a Lease that names its holder;
// each node has a Lease that it renews. A node is gone when its Lease did not change for kStale of our own time (times in Leases are other
// clocks'), and only while our own renewals come back by the same watch: who hears nothing judges nobody. One of ours must have come back at
// a time when the other's was due: while the API server hangs all are silent, and none is gone. An address whose holder is gone
// belongs to its heir, the first of the live nodes by rendezvous hash, and to nobody else; the API server's versions decide a race.
//
// Invariant: while the API server is heard, an address is taken only by a write that it accepted. A holder that is cut off from it keeps what
// it has until somebody on the link claims the address; and one that is silent on the link meanwhile is stood in for by the first of those
// that lived when the API server was last heard and have the address' network (holdings_away.cpp). Back in contact, the Lease decides.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ctl/plan/silence.hpp"
#include "userspace/base/ip.hpp"

namespace penstock::plan {

struct Network {
    IpAddress address;  // a node's own
    std::uint8_t prefix_length = 0;

    [[nodiscard]] bool contains(const IpAddress& other) const;
    auto operator<=>(const Network&) const = default;
};

struct NodeSeen {
    std::vector<Network> networks;  // where it announces
    bool shares = true;             // it takes part in sharing addresses out
    bool leaving = false;           // it gave its Lease up
    bool operator==(const NodeSeen&) const = default;
};

struct AddressLease {
    std::string holder;   // "": nobody
    std::string version;  // of the API server
};

struct LeaseWrite {
    enum class What : std::uint8_t { create, take, hand_over, remove };
    What what = What::create;
    IpAddress address;
    std::string holder;   // who has it afterwards
    std::string version;  // the write is good for this one only; "" for create
    bool operator==(const LeaseWrite&) const = default;
};

class Holdings {
public:
    using Time = std::chrono::steady_clock::time_point;
    using milliseconds = std::chrono::milliseconds;

    static constexpr milliseconds kRenew{1'000};       // a node renews its Lease so often
    static constexpr milliseconds kStale{2'300};       // one that did not change for so long is a dead node's: one renewal may be lost
    static constexpr milliseconds kEvidence{1'050};    // one of ours came back so long after its last one: it should have been heard
    static constexpr milliseconds kContact{2'000};     // since our own last renewal came back: we hear the API server, though one was lost
    static constexpr milliseconds kSettle{5'000};      // after contact came back the others need time, too: as long as it was away, at most this
    static constexpr milliseconds kBack{300};          // but who renews this much after that has it, too, and is judged as ever. Sooner it may be old news
    static constexpr milliseconds kWriteAgain{500};
    static constexpr milliseconds kWriteAgainMax{2'000};  // whatever the server asks for: nobody has the address meanwhile
    static constexpr milliseconds kSilence{75'000};    // of a peer that claimed an address while nobody could ask the API server
    static constexpr milliseconds kDefend{1'000};      // at most one answer to claims in this time
    static constexpr milliseconds kSteady{60'000};     // a node that is back is given addresses again only after so long
    static constexpr milliseconds kHandOver{5'000};    // and one at a time
    static constexpr milliseconds kOverdue{1'300};     // our own renewal did not come back: the link is asked, in case that the API server is away
    static constexpr milliseconds kAsk{450};           // so often, by the first heirs of an address
    static constexpr milliseconds kAskFar{2'000};      // by those after them
    static constexpr milliseconds kAskHeld{1'000};     // by who stands in
    static constexpr milliseconds kAskApart{50};       // nodes and addresses do not all ask at one moment, but at one of four
    static constexpr milliseconds kRefused{60'000};    // an address that could not be put here is handed over once in so long

    explicit Holdings(std::string self) : self_(std::move(self)) {}

    // ---- what the API server tells
    void saw_node(const std::string& name, NodeSeen seen, Time now);
    void lost_node(const std::string& name) { nodes_.erase(name); }
    void saw_lease(const IpAddress& address, AddressLease lease) { leases_[address] = std::move(lease); }
    void lost_lease(const IpAddress& address) { leases_.erase(address); }
    // The write for `address` that decide() gave was answered. What it made of the Lease is told by saw_lease() or lost_lease().
    // `asked`: to wait before another one, by the server; it counts up to kWriteAgainMax.
    void wrote(const IpAddress& address, bool accepted, Time now, milliseconds asked = milliseconds(0));

    // ---- what this node knows
    void want(std::set<IpAddress> addresses) { wanted_ = std::move(addresses); }  // those that Gateways have; not called yet: not known
    void claimed(const IpAddress& address, Time now);  // somebody else on the link says that it has it, asked or not
    void link_works(const std::set<IpAddress>& addresses);  // of these that were asked for: somebody on their link answered something
    void here(std::vector<Network> networks) { here_ = std::move(networks); }  // where this node announces, before its Lease says so
    void refused(const IpAddress& address, Time now);  // ours by its Lease, and not to be put on an interface

    struct Decision {
        std::set<IpAddress> held;          // by this node, wanted
        std::vector<LeaseWrite> writes;    // each is under way until wrote()
        std::vector<IpAddress> defend;     // announce: the claim was not right
        std::vector<IpAddress> yielded;    // given up for a claim, just now
        std::vector<IpAddress> stands_in;  // held without the API server's word, from just now
        std::vector<IpAddress> ask;        // on the link, who has it
        std::optional<Time> again;         // decide again then, if nothing happens before
    };
    Decision decide(Time now);

    // The other nodes' own addresses in our networks: their answers say that the link works.
    [[nodiscard]] std::vector<IpAddress> peers() const;

    // ---- what is shown
    [[nodiscard]] bool in_contact(Time now) const { return heard_ && now - *heard_ <= kContact; }
    [[nodiscard]] bool alive(const std::string& node, Time now) const;
    [[nodiscard]] std::vector<std::string> others_alive(Time now) const;
    // The other nodes that renew their Leases, whether they share addresses or not; while nobody can be judged, also those of `before`.
    [[nodiscard]] std::set<std::string> others_renewing(const std::set<std::string>& before, Time now) const;
    // The other nodes whose Leases did not change for so long, as far as we have heard; nobody while we hear nothing.
    [[nodiscard]] std::vector<std::string> others_silent(milliseconds since, Time now) const;
    [[nodiscard]] const std::map<IpAddress, AddressLease>& leases() const { return leases_; }

private:
    struct Node {
        NodeSeen seen;
        Time changed;
        Time since;  // alive without a break
    };
    struct Claim {
        Time at;
        bool open = false;              // not answered yet
        std::optional<Time> defended;
    };

    struct Refusal {
        Time until;
        bool moved = false;  // handed over since
    };

    // Of one decide(): what is the same for all addresses.
    struct Moment {
        Time now;
        std::vector<std::string> alive;
        std::map<std::string, std::size_t> counts;  // wanted addresses of each holder
    };

    using Score = std::pair<int, std::uint32_t>;  // fitness, then by rendezvous hash; of those that may have an address the highest is its heir

    [[nodiscard]] bool settled(Time now) const { return contact_since_ && now - *contact_since_ > settle_; }
    [[nodiscard]] bool judges(Time now) const;
    [[nodiscard]] bool judges(const Node& node, Time now) const;
    [[nodiscard]] bool gone(const Node& node, Time now) const;
    [[nodiscard]] Moment moment(Time now) const;
    [[nodiscard]] bool yields(const IpAddress& address, Time now, Decision& decision);
    [[nodiscard]] std::optional<unsigned> turn(const IpAddress& address, const std::string& holder) const;
    [[nodiscard]] bool lived(const Node& node) const;
    [[nodiscard]] bool stands_in(const IpAddress& address, const AddressLease* lease, const Moment& at, Decision& decision);
    void ask(const IpAddress& address, milliseconds round, Time now, Decision& decision);
    [[nodiscard]] std::optional<LeaseWrite> step(const IpAddress& address, const AddressLease* lease, Moment& at, Decision& decision);
    [[nodiscard]] std::optional<LeaseWrite> to_hand_over(const IpAddress& address, const AddressLease& lease, Moment& at, Decision& decision);
    [[nodiscard]] int fitness(const std::string& node, const IpAddress& address) const;
    [[nodiscard]] Score score_of(const std::string& node, const IpAddress& address) const;
    [[nodiscard]] std::optional<LeaseWrite> give_away(const IpAddress& address, const AddressLease& lease, const Moment& at);
    [[nodiscard]] bool overloaded(const std::string& heir, Moment& at) const;
    [[nodiscard]] std::string heir_of(const IpAddress& address, const std::vector<std::string>& alive) const;
    [[nodiscard]] std::vector<std::string> alive_nodes(Time now) const;
    void look_again(Time now, Decision& decision) const;

    const std::string self_;
    std::map<std::string, Node> nodes_;
    std::map<IpAddress, AddressLease> leases_;
    std::optional<std::set<IpAddress>> wanted_;
    std::map<IpAddress, Claim> claims_;       // of addresses that we hold by their Lease
    std::map<IpAddress, Time> yielded_;       // until when at least; or until we hear the API server
    std::map<IpAddress, Silence> silences_;          // of those that we may stand in for, while the API server is not heard
    std::map<IpAddress, std::string> standing_in_;   // version of the Lease that somebody else had
    std::optional<std::vector<Network>> here_;
    std::map<IpAddress, Refusal> refused_;
    std::set<IpAddress> writing_;
    std::map<IpAddress, Time> write_again_;   // not before
    std::optional<Time> heard_;               // our own last renewal came back
    std::optional<Time> contact_since_;       // renewals come back without a break
    milliseconds settle_ = kSettle;           // from then on
    std::optional<Time> handed_over_;
};

}  // namespace penstock::plan
