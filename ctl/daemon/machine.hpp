// SPDX-License-Identifier: Apache-2.0
// The machine as the daemon sees it: the three steps of a rollout and the facts that status shows. penstockd passes the one over
// ctl/apply, tests pass one that remembers. A step does as much as it can: what fails is told as trouble, and the rest is done.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ctl/compile/compile.hpp"
#include "ctl/daemon/counters.hpp"
#include "ctl/daemon/error_book.hpp"
#include "ctl/daemon/resync.hpp"
#include "ctl/plan/holdings.hpp"
#include "userspace/base/result.hpp"

namespace penstock::daemon {

// What the active worker said of a root.
struct WorkerTaken {
    std::uint64_t generation = 0;
    std::vector<std::pair<std::string, std::string>> failed;  // name of the part, reason
    std::string refused;                                      // not empty: the root was not taken, why
};

// What the machine tells by itself.
struct MachineEvents {
    std::function<void(const WorkerTaken&)> taken;
    std::function<void()> changed;          // addresses, links, neighbours: what compile was given or apply did may not hold any more
    std::function<void(const IpAddress&)> claimed;  // somebody else on the link says that it has this one, of ours or asked for
    std::function<void(const std::set<IpAddress>&)> link_works;  // of those that were asked for: somebody on their link answered something
    std::function<void(const IpAddress&)> refused;  // this one of ours could not be put on an interface
    std::function<void(std::string)> lost;  // the keeper is gone: the daemon ends, so that its successor starts clean
};

// What this node has of the addresses that nodes share out.
struct AddressShare {
    std::set<IpAddress> held;
    std::vector<IpAddress> defend;  // announced once more
    bool expires = false;           // others take over if this daemon ends
};

// What the keeper holds of an earlier daemon.
struct HeldRoot {
    std::uint64_t generation = 0;  // 0: nothing
    std::string digest;
};

// For /metrics.
struct DaemonFigures {
    std::uint64_t not_good = 0;  // conditions
    std::uint64_t errors = 0;    // not solved
    Reconciles reconciles;
    std::uint64_t addresses_held = 0;  // of those that nodes share out
    std::uint64_t address_takeovers = 0;
    std::uint64_t addresses_yielded = 0;
    std::uint64_t nodes_reporting = 0;  // of a cluster, this one among them
    std::uint64_t objects_not_everywhere = 0;
    std::uint64_t node_reports_written = 0;
};

// Facts for GET /v1/status, ready to be shown.
struct MachineFacts {
    nlohmann::json processes;  // keeper, workers
    nlohmann::json workers;
    nlohmann::json datapath;   // without "wanted"
    nlohmann::json addresses;
    nlohmann::json rung_xdp;   // one rung
    nlohmann::json verdicts;
};

class Machine {
public:
    virtual ~Machine() = default;

    virtual void listen(MachineEvents events) = 0;
    [[nodiscard]] virtual HeldRoot held() const = 0;
    // What compile must know of this machine.
    [[nodiscard]] virtual compile::Options compile_options() const = 0;

    virtual std::vector<Trouble> prepare(const compile::Compiled& wanted) = 0;
    // `digest` names the root: held() of a later daemon gives it back.
    virtual Status publish(const compile::Compiled& wanted, const std::string& digest, std::uint64_t generation) = 0;
    virtual std::vector<Trouble> finish(const compile::Compiled& wanted) = 0;

    // It may have something else than what was put there: the next prepare() and finish() compare all of it.
    virtual void look_again() = 0;

    // For a machine whose addresses are shared out (--kubernetes): until the first call it puts none.
    virtual void share(const AddressShare& share) = 0;
    // Asks links who has these; the answers are claims. Asks `peers` and others as well, to see that the link works.
    virtual void ask(const std::vector<IpAddress>& addresses, const std::vector<IpAddress>& peers) = 0;
    // Of the addresses that Gateways have, those on interfaces of this machine, as of the last prepare() or share().
    [[nodiscard]] virtual const std::set<IpAddress>& here() const = 0;
    // Where this machine announces addresses.
    [[nodiscard]] virtual std::vector<plan::Network> networks() const = 0;

    // What is wrong with the processes as they run, whatever they serve.
    [[nodiscard]] virtual std::vector<Trouble> standing_troubles() const = 0;

    // Writes to the kernel so far: map entries, addresses.
    [[nodiscard]] virtual std::uint64_t steps() const = 0;
    // Puts what the worker cannot know into the stats page: these, and the packet core's verdicts.
    virtual void tell_metrics(const DaemonFigures& figures) = 0;
    [[nodiscard]] virtual MachineFacts facts() = 0;
    [[nodiscard]] virtual const StatsPage* stats() const = 0;
};

// The root of a compilation; null before the first one. Points into its bytes.
const penstock::snapshot::Root* root_of(const compile::Compiled& compiled);

// Who owns a listening socket or an address, for troubles: the first listener or Gateway that needs it. Nothing if nobody does.
std::optional<status::Failure> owner_of_socket(const compile::Compiled& compiled, const std::string& socket, const std::string& message);
std::optional<status::Failure> owner_of_address(const compile::Compiled& compiled, const IpAddress& address, const std::string& message);
std::optional<status::Failure> owner_of_part(const compile::Compiled& compiled, const std::string& part, const std::string& message);

}  // namespace penstock::daemon
