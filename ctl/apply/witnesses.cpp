// SPDX-License-Identifier: Apache-2.0
#include "ctl/apply/witnesses.hpp"

#include <algorithm>
#include <utility>

namespace penstock::apply {

std::vector<IpAddress> Witnesses::choose(std::uint32_t ifindex, const std::vector<IpAddress>& known) {
    Link& link = links_[ifindex];
    link.asked.clear();
    const std::set<IpAddress> good = std::exchange(link.good, std::set<IpAddress>());
    for (const IpAddress& one : known) {
        if (good.contains(one) && link.asked.size() < kAskedMax / 2) {
            link.asked.insert(one);
        }
    }
    for (std::size_t i = 0; i < known.size() && link.asked.size() < kAskedMax; ++i) {
        link.asked.insert(known[link.turn++ % known.size()]);
    }
    return {link.asked.begin(), link.asked.end()};
}

void Witnesses::answered(std::uint32_t ifindex, const IpAddress& address) {
    if (const auto link = links_.find(ifindex); link != links_.end() && link->second.asked.contains(address)) {
        link->second.good.insert(address);
    }
}

}  // namespace penstock::apply
