// SPDX-License-Identifier: Apache-2.0
// What the writer of statuses may say of a Gateway or ListenerSet, given what every node has taken: a state machine without I/O and clock.
//
//   every live node has taken the generation     its status as it is
//   one refused something of it                   the condition that its own node would give it; the message names the node, whoever writes
//   one has not taken it                          until kPatience is over: a status that says Programmed stays, any other is Pending;
//                                                 then the status is told, and the message counts ("programmed on 2 of 3 nodes; waiting for c")
//
// Invariants: what is alone waits for nobody; a generation that was told is not taken back because somebody falls behind later; what changes
// without a new generation (attached routes) is never held up.
#pragma once

#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ctl/status/node_report.hpp"

namespace penstock::status {

// How one object's generation stands with the nodes that live.
struct Stand {
    std::size_t nodes = 1;                                         // that live, the writer's own among them
    std::vector<std::string> behind;                               // have not taken it
    std::map<std::string, std::vector<Refusal>> refused;           // took it but for these
    bool operator==(const Stand&) const = default;
};

class Agreement {
public:
    using Time = std::chrono::steady_clock::time_point;
    using Objects = std::set<std::string>;
    static constexpr std::chrono::milliseconds kPatience{5'000};

    explicit Agreement(std::string self) : self_(std::move(self)) {}

    // ---- facts. Each gives the objects of which say() may say something else now.
    Objects took(NodeReport mine);                     // this node's own data path
    Objects heard(const std::string& node, NodeReport report);
    Objects lost(const std::string& node);             // it reports no more
    Objects live(std::set<std::string> others);        // the nodes that live besides this one
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
    [[nodiscard]] std::size_t reporting() const;  // nodes that live, this one among them, and have told what they have taken

private:
    struct Wait {
        std::string uid;
        std::int64_t generation = 0;
        Time since;
        bool over = false;
    };
    [[nodiscard]] Objects all() const;
    bool waits(const std::string& object, const TakenObject& taken, Time now);

    const std::string self_;
    NodeReport mine_;
    std::map<std::string, NodeReport> reports_;  // by node
    std::set<std::string> others_;
    bool known_ = false;
    std::map<std::string, Wait> waits_;  // objects that somebody is behind with
    mutable std::optional<Objects> open_;  // as of the last fact, once somebody asked
};

}  // namespace penstock::status
