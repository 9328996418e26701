// SPDX-License-Identifier: Apache-2.0
// What the writer of statuses may say of a Gateway or ListenerSet, given what every node has taken: a state machine without I/O and clock.
//
//   every live node has taken the generation     its status as it is
//   one refused something of it                   the condition that its own node would give it; the message names the node, whoever writes
//   one has not taken it                          until kPatience is over: a status that says Programmed stays, any other is Pending;
//                                                 then the status is told, and the message counts ("programmed on 2 of 3 nodes; waiting for c");
//                                                 if c is who has one of its addresses, it is Pending: what clients send goes there
//   no node has one of its addresses              until kMove is over as above, as it may be on its way to another node; then
//                                                 AddressNotAssigned, which another writer may have told already
//
// Invariants: what is alone waits for nobody else; a generation that was told is not taken back because somebody falls behind later, but for
// who has its address; what changes without a new generation (attached routes) is never held up.
#pragma once

#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ctl/status/node_report.hpp"
#include "ctl/status/stand.hpp"

namespace penstock::status {

class Agreement {
public:
    using Time = std::chrono::steady_clock::time_point;
    using Objects = std::set<std::string>;
    static constexpr std::chrono::milliseconds kPatience{5'000};
    static constexpr std::chrono::milliseconds kMove{3'000};  // an address is with another node by then

    explicit Agreement(std::string self) : self_(std::move(self)) {}

    // ---- facts. Each gives the objects of which say() may say something else now.
    Objects took(NodeReport mine);                     // this node's own data path
    Objects heard(const std::string& node, NodeReport report);
    Objects lost(const std::string& node);             // it reports no more
    Objects live(std::set<std::string> others);        // the nodes that live besides this one; until the first call it is not known who does
    Objects known(bool yes);                           // whether reports can be heard at all: if not, this node speaks for itself

    // ---- what follows. `wanted`: the object's status as this node would have it; `server`: as the API server has it. Nothing: not yet, what the
    // server has stays.
    std::optional<nlohmann::json> say(const std::string& object, const nlohmann::json& wanted, const nlohmann::json& server, Time now, std::int64_t now_s);
    // When patience ends with somebody; and the objects for which it just has.
    [[nodiscard]] std::optional<Time> again() const;
    Objects due(Time now);

    // ---- what is shown
    [[nodiscard]] Stand stand(const std::string& object) const;
    // Those that a live node has not taken, or not whole; none while reports cannot be heard.
    [[nodiscard]] const Objects& open() const;
    [[nodiscard]] const NodeReport& mine() const { return mine_; }
    // Null: it has told nothing.
    [[nodiscard]] const NodeReport* report_of(const std::string& node) const;
    [[nodiscard]] const std::set<std::string>& others() const { return others_; }
    // The own addresses of the other nodes that live.
    [[nodiscard]] std::set<IpAddress> own_of_others() const;
    [[nodiscard]] std::size_t reporting() const;  // nodes that live, this one among them, and have told what they have taken

private:
    struct Wait {
        std::string uid;
        std::int64_t generation = 0;
        Time since;
        bool over = false;
    };
    using Waits = std::map<std::string, Wait>;  // by object
    [[nodiscard]] Objects all() const;
    [[nodiscard]] Objects of_addresses(const NodeReport& before, const NodeReport& after) const;
    void place(const TakenObject& taken, Stand& at) const;
    [[nodiscard]] bool all_tell_addresses() const;

    const std::string self_;
    NodeReport mine_;
    std::map<std::string, NodeReport> reports_;  // by node
    std::set<std::string> others_;
    bool lives_known_ = false;
    bool known_ = false;
    Waits waits_;  // for those who are behind
    Waits moves_;  // for those who shall have their addresses
    mutable std::optional<Objects> open_;  // as of the last fact, once somebody asked
};

}  // namespace penstock::status
