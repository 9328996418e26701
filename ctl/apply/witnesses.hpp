// SPDX-License-Identifier: Apache-2.0
// Whom to ask on a link for no other reason than to see that it works: those that answered last, and others in turn. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "userspace/base/ip.hpp"

namespace penstock::apply {

class Witnesses {
public:
    static constexpr std::size_t kAskedMax = 8;

    // Of `known`, those to ask now.
    [[nodiscard]] std::vector<IpAddress> choose(std::uint32_t ifindex, const std::vector<IpAddress>& known);
    void answered(std::uint32_t ifindex, const IpAddress& address);

private:
    struct Link {
        std::set<IpAddress> asked;
        std::set<IpAddress> good;  // answered when they were asked last
        std::size_t turn = 0;
    };
    std::map<std::uint32_t, Link> links_;
};

}  // namespace penstock::apply
