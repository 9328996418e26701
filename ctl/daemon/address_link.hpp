// SPDX-License-Identifier: Apache-2.0
// Shares the addresses of Gateways out among the nodes of a cluster: Leases of the API on one side, plan::Holdings in the middle, the machine on
// the other. It talks over a connection of its own, so that neither a long list nor a busy daemon delays the renewal of its node's Lease.
//
//   penstock-node-NAME        this node lives; renewed each second; carries its networks
//   penstock-address-ADDRESS  who has the address; written only when that changes
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ctl/daemon/error_book.hpp"
#include "ctl/daemon/loop.hpp"
#include "ctl/daemon/machine.hpp"
#include "ctl/kubeapi/client.hpp"
#include "ctl/kubeapi/heartbeat.hpp"
#include "ctl/kubeapi/lease.hpp"
#include "ctl/plan/holdings.hpp"

namespace penstock::daemon {

class AddressLink {
public:
    struct Events {
        std::function<void(const AddressShare&)> share;  // what this node has is something else now, or is to be defended
        std::function<void(const std::vector<IpAddress>& addresses, const std::vector<IpAddress>& peers)> ask;  // the link, who has them
        std::function<void()> trouble;                   // troubles() may be others
        std::function<void(const std::set<std::string>&)> live;  // the other nodes that live, once that is known, and when they are others than before
    };
    // Begins to talk at once; an API server that is away is trouble, not an error. `loop` outlives it, and its events are on the loop's thread.
    // `networks`: where this node announces; nothing: it shares no addresses, and only shows that it lives.
    static Result<std::unique_ptr<AddressLink>> open(Loop& loop, kubeapi::Access access, std::string node, std::optional<std::vector<plan::Network>> networks, Events events);
    ~AddressLink();
    AddressLink(const AddressLink&) = delete;
    AddressLink& operator=(const AddressLink&) = delete;

    // The addresses that Gateways have.
    void want(std::set<IpAddress> addresses);
    // Where this node announces.
    void here(std::vector<plan::Network> networks);
    // Somebody else on the link says that it has it.
    void claimed(const IpAddress& address);
    // Of those that were asked for: somebody on their link answered something.
    void link_works(const std::set<IpAddress>& addresses) { holdings_.link_works(addresses); }
    // The machine could not put it on an interface.
    void refused(const IpAddress& address);
    // Deletes the Leases of nodes that were silent for so long and that the cluster does not have any more.
    void sweep(std::chrono::milliseconds silent);
    // Gives this node's Lease up, and calls `done` when the others have taken over, or have not after a while. At once if there are none.
    void leave(std::function<void()> done);

    [[nodiscard]] std::vector<Trouble> troubles() const;
    [[nodiscard]] std::size_t held() const { return held_.size(); }
    [[nodiscard]] std::uint64_t taken() const { return taken_; }
    [[nodiscard]] std::uint64_t yielded() const { return yielded_; }
    // For GET /v1/status: of all, and {"holder", "since"} of one.
    [[nodiscard]] nlohmann::json facts() const;
    [[nodiscard]] nlohmann::json facts_of(const IpAddress& address) const;

private:
    struct Seen {
        kubeapi::Lease lease;
        bool gone = false;
    };
    struct News {
        std::vector<Seen> seen;
        bool all = false;
        std::optional<Error> trouble;
        Loop::Time at;  // when it came
    };
    AddressLink(Loop& loop, std::string ns, std::string node, Events events);
    void on_news(const News& news);
    void saw(const kubeapi::Lease& lease, Loop::Time at);
    void lost(const std::string& name);
    void decide();
    void share(const plan::Holdings::Decision& decision);
    void tell_live(Loop::Time now);
    void tell_changes(const std::set<IpAddress>& before) const;
    void write(const plan::LeaseWrite& write);
    void wrote(const plan::LeaseWrite& write, const Result<kubeapi::Answer>& answer);
    void left();

    Loop& loop_;
    const std::string ns_;
    const std::string node_;
    Events events_;
    plan::Holdings holdings_;
    std::map<std::string, kubeapi::Lease> leases_;  // by name, as last seen
    std::set<IpAddress> held_;
    std::set<std::string> live_;
    bool live_told_ = false;
    bool others_ = false;
    bool wanted_ = false;  // want() was called
    bool told_ = false;    // share() of the events was
    std::vector<plan::Network> networks_;
    std::optional<Error> watch_trouble_;
    std::optional<Error> beat_trouble_;
    std::map<IpAddress, Error> write_troubles_;
    std::function<void()> leaving_;
    bool released_ = false;  // this node's Lease
    bool left_ = false;
    bool handing_over_ = false;  // its addresses: others take them once it is released
    std::uint64_t taken_ = 0;    // addresses, from nobody or from others
    std::uint64_t yielded_ = 0;  // left to who claimed them
    std::uint64_t defended_ = 0;
    std::uint64_t stood_in_ = 0;  // taken without the API server
    std::shared_ptr<kubeapi::Heartbeat> heartbeat_;
    std::unique_ptr<kubeapi::Client> client_;  // the last: its thread ends first
};

}  // namespace penstock::daemon
