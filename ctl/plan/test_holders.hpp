// SPDX-License-Identifier: Apache-2.0
// For tests of holdings: nodes on one link with one API server, in steps of 50 ms of a clock that the tests turn.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ctl/plan/holdings.hpp"

namespace penstock::plan::testing {

using std::chrono::milliseconds;
using Time = Holdings::Time;
using What = LeaseWrite::What;

inline IpAddress ip(const char* text) { return *IpAddress::parse(text); }

inline std::set<IpAddress> addresses(int count) {
    std::set<IpAddress> made;
    for (int i = 1; i <= count; ++i) {
        made.insert(ip(("192.0.2." + std::to_string(i)).c_str()));
    }
    return made;
}

inline constexpr auto kStep = milliseconds(50);
inline constexpr auto kPatience = milliseconds(700);             // for an answer
inline constexpr auto kLost = kPatience + milliseconds(100);     // then it is asked again

struct Node {
    std::string name;
    NodeSeen facts;
    std::set<IpAddress> wanted;
    std::unique_ptr<Holdings> holdings;
    bool up = true;
    bool cut_off = false;  // from the API server
    int side = 0;          // of the link; nodes hear only those on the same
    int loses = 0;         // of its next renewals so many
    bool asked = false;    // a server that hangs
    Time renew{};
    std::set<IpAddress> held;
    std::set<IpAddress> asked_for;
    std::vector<IpAddress> yielded;
    int defended = 0;
    int stood_in = 0;
};

// What takes a write only if it was made from the newest version, and tells everybody who is not cut off.
struct Cluster {
    std::map<std::string, Node> nodes;
    std::map<IpAddress, AddressLease> leases;
    int version = 0;
    int writes = 0;
    int moves = 0;  // an address at another node than before
    Time now{std::chrono::hours(1)};
    std::map<IpAddress, std::string> last;
    bool hangs = false;  // the API server: what is asked is answered when it hangs no more, if somebody still waits
    std::vector<std::pair<Node*, LeaseWrite>> waiting;
    bool gateway = true;  // on side 0, somebody who answers

    Node& add(const std::string& name, std::set<IpAddress> wanted, NodeSeen facts = {}) {
        Node& node = nodes[name];
        node = Node{.name = name, .facts = std::move(facts), .wanted = std::move(wanted), .holdings = nullptr, .renew = {}, .held = {}, .asked_for = {}, .yielded = {}};
        start(node);
        return node;
    }
    void start(Node& node) {
        node.up = true;
        node.held.clear();
        node.asked_for.clear();
        node.renew = now;
        node.holdings = std::make_unique<Holdings>(node.name);
        node.holdings->want(node.wanted);
        if (node.cut_off) {
            return;  // it knows nothing
        }
        for (const auto& [address, lease] : leases) {
            node.holdings->saw_lease(address, lease);
        }
        for (const auto& [name, other] : nodes) {
            if (other.holdings != nullptr && name != node.name) {
                node.holdings->saw_node(name, other.facts, now);  // as listed, stale or not
            }
        }
    }
    void everyone(const std::function<void(Holdings&)>& hears) {
        for (auto& [name, node] : nodes) {
            if (node.up && !node.cut_off) {
                hears(*node.holdings);
            }
        }
    }
    void relist(Node& node) {
        node.cut_off = false;
        for (const auto& [address, lease] : leases) {
            node.holdings->saw_lease(address, lease);
        }
        for (const auto& [address, lease] : node.holdings->leases()) {
            if (!leases.contains(address)) {
                node.holdings->lost_lease(IpAddress(address));
                break;
            }
        }
    }
    bool write(const LeaseWrite& write) {
        const auto found = leases.find(write.address);
        if ((found == leases.end()) != (write.what == What::create) || (found != leases.end() && found->second.version != write.version)) {
            return false;
        }
        ++writes;
        if (write.what == What::remove) {
            leases.erase(write.address);
            everyone([&](Holdings& one) { one.lost_lease(write.address); });
            return true;
        }
        leases[write.address] = {write.holder, std::to_string(++version)};
        everyone([&](Holdings& one) { one.saw_lease(write.address, leases[write.address]); });
        return true;
    }
    void announce(const std::string& from, const IpAddress& address) {
        for (auto& [name, node] : nodes) {
            if (node.up && name != from && node.side == nodes[from].side) {
                hears(node, address);
            }
        }
    }
    // As the machine tells: of those that it has, or has asked for.
    void hears(Node& node, const IpAddress& address) const {
        if (node.held.contains(address) || node.asked_for.contains(address)) {
            node.holdings->claimed(address, now);
        }
    }
    void answer(Node& node, const std::vector<IpAddress>& asked) {
        node.asked_for.insert(asked.begin(), asked.end());
        bool works = gateway && node.side == 0;
        for (auto& [name, other] : nodes) {
            const bool near = other.up && name != node.name && other.side == node.side;
            works = works || near;
            for (const IpAddress& address : asked) {
                if (near && other.held.contains(address)) {
                    hears(node, address);
                }
            }
        }
        if (works) {
            node.holdings->link_works(node.asked_for);
        }
    }
    void act(Node& node) {
        const Holdings::Decision decision = node.holdings->decide(now);
        for (const IpAddress& address : decision.held) {
            if (!node.held.contains(address)) {
                moves += last[address] != node.name ? 1 : 0;
                last[address] = node.name;
                announce(node.name, address);
            }
        }
        node.held = decision.held;
        node.stood_in += static_cast<int>(decision.stands_in.size());
        answer(node, decision.ask);
        node.defended += static_cast<int>(decision.defend.size());
        node.yielded.insert(node.yielded.end(), decision.yielded.begin(), decision.yielded.end());
        for (const IpAddress& address : decision.defend) {
            announce(node.name, address);
        }
        for (const LeaseWrite& one : decision.writes) {
            if (hangs) {
                waiting.emplace_back(&node, one);
                continue;
            }
            node.holdings->wrote(one.address, !node.cut_off && write(one), now);
        }
    }
    // The worst that can be: writes that wait come before all renewals.
    void hangs_no_more() {
        hangs = false;
        for (const auto& [node, one] : std::exchange(waiting, std::vector<std::pair<Node*, LeaseWrite>>())) {
            node->holdings->wrote(one.address, write(one), now);
        }
        for (auto& [name, node] : nodes) {
            if (node.asked && node.renew - now > kLost - kPatience) {
                node.renew = now;
            }
        }
    }
    void renew(Node& node) {
        if (hangs || node.loses > 0) {
            node.loses -= hangs ? 0 : 1;
            node.asked = hangs;
            node.renew = now + kLost;
            return;
        }
        node.renew = now + Holdings::kRenew;
        node.asked = false;
        everyone([&](Holdings& one) { one.saw_node(node.name, node.facts, now); });
    }
    void run(milliseconds time, const std::function<void()>& check = [] {}) {
        for (milliseconds gone{0}; gone < time; gone += kStep) {
            now += kStep;
            for (auto& [name, node] : nodes) {
                if (node.up && !node.cut_off && now >= node.renew) {
                    renew(node);
                }
            }
            for (auto& [name, node] : nodes) {
                if (node.up) {
                    act(node);
                }
            }
            check();
        }
    }
    // By how many nodes.
    [[nodiscard]] int holders(const IpAddress& address) const {
        int count = 0;
        for (const auto& [name, node] : nodes) {
            count += node.up && node.held.contains(address) ? 1 : 0;
        }
        return count;
    }
    [[nodiscard]] bool all_held_once(const std::set<IpAddress>& list) const {
        return std::all_of(list.begin(), list.end(), [&](const IpAddress& address) { return holders(address) == 1; });
    }
    // Until each of `list` is held by one node.
    milliseconds time_to(const std::set<IpAddress>& list, milliseconds most = milliseconds(20'000)) {
        const Time begin = now;
        while (now - begin < most && !all_held_once(list)) {
            run(kStep);
        }
        return std::chrono::duration_cast<milliseconds>(now - begin);
    }
};

}  // namespace penstock::plan::testing
