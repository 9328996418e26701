// SPDX-License-Identifier: Apache-2.0
// The Machine that penstockd runs on: the keeper with its workers, and the edge's L4 side (addresses, BPF maps).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ctl/apply/announcer.hpp"
#include "ctl/apply/edge.hpp"
#include "ctl/apply/keeper_link.hpp"
#include "ctl/daemon/loop.hpp"
#include "ctl/daemon/machine.hpp"
#include "ctl/daemon/options.hpp"

namespace penstock::daemon {

class KernelMachine final : public Machine {
public:
    // `loop` outlives it. Fails without a keeper or without netlink; never for want of BPF, unless --datapath=xdp asks for it.
    static Result<std::unique_ptr<KernelMachine>> open(Loop& loop, const Options& options, std::vector<compile::OwnKey> session_keys, Fd keeper);

    // To the keeper: this daemon's start is over.
    Status tell_ready() { return keeper_->tell_ready(); }

    void listen(MachineEvents events) override;
    [[nodiscard]] HeldRoot held() const override;
    [[nodiscard]] compile::Options compile_options() const override;
    std::vector<Trouble> prepare(const compile::Compiled& wanted) override;
    Status publish(const compile::Compiled& wanted, const std::string& digest, std::uint64_t generation) override;
    std::vector<Trouble> finish(const compile::Compiled& wanted) override;
    void look_again() override { edge_->look_again(); }
    void share(const AddressShare& share) override;
    void ask(const std::vector<IpAddress>& addresses, const std::vector<IpAddress>& peers) override;
    [[nodiscard]] const std::set<IpAddress>& here() const override { return edge_->here(); }
    [[nodiscard]] std::vector<plan::Network> networks() const override { return edge_->networks(); }
    [[nodiscard]] std::vector<Trouble> standing_troubles() const override;

    [[nodiscard]] std::uint64_t steps() const override;
    void tell_metrics(const DaemonFigures& figures) override;
    [[nodiscard]] MachineFacts facts() override;
    [[nodiscard]] const StatsPage* stats() const override { return keeper_->stats(); }

private:
    KernelMachine(Loop& loop, Options options, std::vector<compile::OwnKey> session_keys, std::unique_ptr<apply::KeeperLink> keeper,
                  std::unique_ptr<apply::Edge> edge);
    void open_missing_sockets(const compile::Compiled& wanted, std::vector<Trouble>& troubles);
    void hear_keeper();
    void hear_network();
    void tick_later();
    void open_announcer();
    void announce();
    void send_announcements();
    void hear_neighbours();
    void tell_refused();
    void on_taken(const keeper::TakenT& taken);
    static Trouble to_trouble(const compile::Compiled& wanted, const apply::Problem& problem);
    [[nodiscard]] nlohmann::json processes_json() const;
    [[nodiscard]] nlohmann::json datapath_json() const;
    [[nodiscard]] nlohmann::json addresses_json() const;

    Loop& loop_;
    Options options_;
    std::vector<compile::OwnKey> session_keys_;
    std::unique_ptr<apply::KeeperLink> keeper_;
    std::unique_ptr<apply::Edge> edge_;
    std::optional<apply::Announcer> announcer_;
    std::optional<Error> why_no_announcer_;
    Loop::Time witnesses_asked_{};
    MachineEvents events_;
    std::string root_name_;  // of the wanted root, in the keeper
    compile::Snapshot shipped_;    // what was published last, all of which is held; without a root: not known
    bool publish_failed_ = false;  // the last one
    std::set<std::string> idle_;   // held parts that may be needed no more
};

}  // namespace penstock::daemon
