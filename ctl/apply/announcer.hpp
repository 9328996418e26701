// SPDX-License-Identifier: Apache-2.0
// Tells links which addresses this node has, and hears who else says so: ARP announcements and unsolicited neighbour advertisements, a few
// times when an address is new here, then now and then, as caches on the way forget. Asks who has an address of another node's, and others on
// its link, to see that this works. Needs CAP_NET_RAW.
// Everything is of the network namespace in which open() was called.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "ctl/apply/neighbour_frames.hpp"
#include "ctl/apply/witnesses.hpp"
#include "userspace/base/fd.hpp"
#include "userspace/base/result.hpp"

namespace penstock::apply {

struct Announced {
    IpAddress address;
    std::uint32_t ifindex = 0;
    Mac mac = {};
    auto operator<=>(const Announced&) const = default;
};

class Announcer {
public:
    using Time = std::chrono::steady_clock::time_point;

    static Result<Announcer> open();

    // The whole of what this node has. What is new among it, or elsewhere than before, is announced from now on.
    void keep(const std::vector<Announced>& all, Time now);
    // Once more, now: somebody said otherwise.
    void again(const IpAddress& address, Time now);
    // Sends what is due; gives when to call it next. A link that is down is no failure.
    std::optional<Time> send_due(Time now);

    // Readable when somebody may have claimed an address.
    [[nodiscard]] std::array<int, 2> fds() const { return {arp_.get(), icmp_.get()}; }
    // Asks, now: `who` for an address, each on its interface and from its link-layer address, and `known` of the same links for an answer.
    void ask(const std::vector<Announced>& who, const std::vector<Announced>& known, Time now);

    struct Heard {
        std::set<IpAddress> claims;  // another link-layer address says that it has one of ours, or one that we asked for
        std::set<IpAddress> works;   // of those that we asked for: on its link somebody answered one of our questions
    };
    // Reads what came.
    [[nodiscard]] Heard hear(Time now);

    [[nodiscard]] std::uint64_t sent() const { return sent_; }
    [[nodiscard]] const std::optional<Error>& trouble() const { return trouble_; }

private:
    struct Due {
        Announced what;
        std::size_t times = 0;  // it was announced
        Time next;
    };
    Announcer(Fd arp, Fd icmp) : arp_(std::move(arp)), icmp_(std::move(icmp)) {}
    struct Asked {
        Announced what;
        bool known = false;      // only to see that the link works
        std::optional<Mac> has;  // who answered last; until he is asked again
        Time until;              // an answer counts
    };
    [[nodiscard]] bool send(std::uint32_t ifindex, const std::vector<std::uint8_t>& frame, const IpAddress& about);
    void announce(Due& due, Time now);
    void ask_one(const Announced& what, bool known, Time now);
    struct Hearing {
        std::set<Mac> own;
        std::set<IpAddress> claims;
        std::set<std::uint32_t> links;  // on which a question was answered
    };
    [[nodiscard]] std::set<Mac> own_macs() const;
    void consider(const NeighbourClaim& claim, std::uint32_t ifindex, Hearing& hearing);

    Fd arp_;   // packet socket: all frames leave by it, ARP comes in
    Fd icmp_;  // raw: neighbour advertisements come in
    std::map<IpAddress, Due> due_;
    std::map<IpAddress, Asked> asked_;
    Witnesses witnesses_;
    std::uint64_t sent_ = 0;
    std::optional<Error> trouble_;
};

}  // namespace penstock::apply
