// SPDX-License-Identifier: Apache-2.0
// The edge's L4 side as the daemon uses it: addresses, interfaces, next hops and BPF maps brought to what a compilation asks for, in the two
// phases of a rollout, and again when the network changes. What fails is told as a problem with its owner, and the rest is done.
// Single-threaded: call it from the loop's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ctl/apply/announcer.hpp"
#include "ctl/apply/datapath.hpp"
#include "ctl/apply/netlink.hpp"
#include "ctl/apply/reacher.hpp"
#include "ctl/compile/compile.hpp"
#include "ctl/plan/holdings.hpp"
#include "ctl/plan/steering_plan.hpp"

namespace penstock::apply {

struct EdgeOptions {
    DatapathOptions datapath;
    bool bpf = true;                      // false: --datapath=userspace, addresses only
    std::vector<std::string> interfaces;  // uplinks: XDP is attached to exactly these. Empty: hardware with a default route or a global address
    std::vector<IpAddress> addresses;     // for Gateways that name none; empty: those of node_addresses.hpp
    std::string announce;                 // interface that Gateways' addresses are put on; empty: where others look for each
    bool shared = false;                  // addresses are shared out among nodes: this one has those of share(), and no more before
};

// An address that a Gateway asked for, or that is the node's own.
struct AddressState {
    enum class Kind : std::uint8_t { added, present, foreign, elsewhere, failed };
    IpAddress address;
    std::string interface;
    Kind kind = Kind::present;  // added: by us (now or by an earlier daemon); foreign: there by somebody else's hand; elsewhere: another node's
    std::string detail;
    bool refused = false;  // failed, and for no reason that passes by itself: another node may have it
};

struct Problem {
    std::string what;
    Error error;
    std::optional<IpAddress> address;  // of a Gateway, if it is about that
};

class Edge {
public:
    // Never fails for want of BPF: then datapath() is null and why() says the reason; only netlink is a must.
    static Result<std::unique_ptr<Edge>> open(EdgeOptions options);

    // Takes everything of ours off this machine: programs, maps, addresses. No daemon must run.
    static Status detach(const std::string& pin_dir);

    [[nodiscard]] bool has_datapath() const { return datapath_ != nullptr; }
    [[nodiscard]] Datapath* datapath() { return datapath_.get(); }
    [[nodiscard]] const std::optional<Error>& why_no_datapath() const { return why_; }

    // For compile::Options: what the maps hold, and whether there are maps at all (`xdp` = has_datapath()).
    [[nodiscard]] compile::Limits limits() const;
    [[nodiscard]] const std::vector<IpAddress>& node_addresses() const { return node_addresses_; }
    [[nodiscard]] const std::vector<IpAddress>& own_addresses() const { return own_addresses_; }  // all but those that we put, and IPv6's of one link
    [[nodiscard]] const std::vector<AddressState>& addresses() const { return address_states_; }
    // Of the addresses that Gateways have, those that are on interfaces of this node: it answers for them.
    [[nodiscard]] const std::set<IpAddress>& here() const { return here_; }

    // The places of listeners that other programs of this node have: from the next phase on the packet core leaves them alone, too.
    void leave_to_others(std::set<plan::VipKey> taken) { taken_ = std::move(taken); }
    // The packet core's maps may hold something else than what was put there: the next phase compares all of it.
    void look_again() { settled_.reset(); }
    // Phase prepare: addresses, then everything new. `now_ms` is a monotonic clock.
    std::vector<Problem> prepare(const compile::Compiled& wanted, std::int64_t now_ms);
    // Phase finish: VIPs that go to the worker or away, what nobody names, addresses that nobody claims.
    std::vector<Problem> finish(const compile::Compiled& wanted, std::int64_t now_ms);

    // Which of the addresses that Gateways asked for are this node's: put on their interfaces and taken off at once. `expires`: they go by
    // themselves some time after this process ended, as another node has them then. False: not all could be done; prepare() tells why.
    bool share(std::set<IpAddress> held, bool expires);
    // What this node shall announce: the addresses that we put, where there is a link to announce on.
    [[nodiscard]] std::vector<Announced> announced() const;
    // Where to ask for each of these, which others have; without those that there is no link for.
    [[nodiscard]] std::vector<Announced> places(const std::vector<IpAddress>& addresses) const;
    // Neighbours that the kernel knows on the interfaces of `places`.
    [[nodiscard]] std::vector<Announced> neighbours_near(const std::vector<Announced>& places);
    // The networks in which it announces, by its own address in each; without those whose link is gone.
    [[nodiscard]] std::vector<plan::Network> networks() const;

    // Readable when the network changed.
    [[nodiscard]] int events_fd() const { return events_.fd(); }
    // Reads events. True: prepare() and finish() should be called again with the same input (they write what differs, usually little).
    bool on_events();
    // Call every ten seconds or so: keeps neighbours fresh, puts back what others took off interfaces, sees what sends no event. True as above.
    bool tick();

    [[nodiscard]] std::uint64_t steps_last() const { return steps_last_; }    // map and address steps of the last prepare and finish
    [[nodiscard]] std::uint64_t steps_total() const { return steps_total_; }
    [[nodiscard]] const plan::ReachTable& reach() const { return reacher_.table(); }

private:
    Edge(EdgeOptions options, Netlink netlink, NetlinkEvents events);
    Status open_datapath();
    // Interfaces, addresses, default routes anew. `routes` false: the latter are as they were, which saves reading the node's routes.
    void look(bool routes = true);
    [[nodiscard]] bool is_port(const Interface& interface) const;    // of a bridge or bond: what comes in is seen there
    [[nodiscard]] bool is_uplink(const Interface& interface) const;  // has XDP
    [[nodiscard]] bool leads_out(const Interface& interface) const;
    void count(std::uint64_t steps);
    [[nodiscard]] bool is_here(const compile::ClaimedAddress& claim) const;
    bool put_address(const compile::ClaimedAddress& claim, AddressState& state, std::vector<Problem>& problems);
    void put_addresses(std::vector<Problem>& problems);
    void drop_addresses(std::vector<Problem>& problems);
    void keep_addresses();
    [[nodiscard]] std::uint32_t lifetime_s() const;
    void attach(bool again);
    void carry_out(const compile::Compiled& wanted, plan::Phase phase, std::int64_t now_ms, std::vector<Problem>& problems);
    [[nodiscard]] std::uint32_t interface_for(const IpAddress& address) const;
    Status hold();  // asks again until it has it

    EdgeOptions options_;
    Netlink netlink_;
    NetlinkEvents events_;
    Fd hold_;  // of the namespace's addresses
    std::unique_ptr<Datapath> datapath_;
    std::optional<Error> why_;
    Reacher reacher_;
    plan::State state_;
    std::set<plan::VipKey> taken_;  // by other programs
    // What a plan was made of that had nothing to write: of the same again nothing follows.
    struct Settled {
        compile::Steering steering;
        plan::ReachTable reach;
        std::set<plan::VipKey> taken;
        std::uint64_t steps = 0;  // of the datapath until then
    };
    std::optional<Settled> settled_;
    std::vector<Interface> interfaces_;
    std::vector<InterfaceAddress> interface_addresses_;
    std::vector<std::uint32_t> default_route_;
    std::vector<std::uint32_t> uplinks_;
    std::vector<AttachWish> wishes_;  // as last attached
    std::vector<IpAddress> node_addresses_;
    std::vector<IpAddress> own_addresses_;
    std::vector<AddressState> address_states_;
    std::set<IpAddress> here_;
    std::vector<compile::ClaimedAddress> claims_;  // of the last prepare()
    std::optional<std::set<IpAddress>> held_;      // of the last share()
    bool expires_ = false;
    bool prepared_ = false;  // until then an earlier daemon's attachments stay as they are
    bool told_no_uplink_ = false;
    std::uint64_t steps_last_ = 0;
    std::uint64_t steps_total_ = 0;
};

}  // namespace penstock::apply
