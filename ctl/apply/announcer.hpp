// SPDX-License-Identifier: Apache-2.0
// Tells links which addresses this node has, and hears who else says so: ARP announcements and unsolicited neighbour advertisements, a few
// times when an address is new here, then now and then, as caches on the way forget. Needs CAP_NET_RAW.
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
    // Reads what came. Addresses of ours that another link-layer address claims.
    [[nodiscard]] std::set<IpAddress> claims();

    [[nodiscard]] std::uint64_t sent() const { return sent_; }
    [[nodiscard]] const std::optional<Error>& trouble() const { return trouble_; }

private:
    struct Due {
        Announced what;
        std::size_t times = 0;  // it was announced
        Time next;
    };
    Announcer(Fd arp, Fd icmp) : arp_(std::move(arp)), icmp_(std::move(icmp)) {}
    void send(Due& due, Time now);
    void consider(const NeighbourClaim& claim, std::uint32_t ifindex, std::set<IpAddress>& out) const;

    Fd arp_;   // packet socket: all frames leave by it, ARP comes in
    Fd icmp_;  // raw: neighbour advertisements come in
    std::map<IpAddress, Due> due_;
    std::uint64_t sent_ = 0;
    std::optional<Error> trouble_;
};

}  // namespace penstock::apply
