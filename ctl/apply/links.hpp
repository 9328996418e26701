// SPDX-License-Identifier: Apache-2.0
// Link numbers of attached interfaces, as steps. Pure. Flows remember the number, so an interface keeps its own while it is attached, and a
// number that was given up is the last to be given out again.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "bpf/abi/pst_abi.h"
#include "ctl/apply/netlink.hpp"
#include "ctl/plan/step.hpp"

namespace penstock::apply {

struct LinkWish {
    std::uint32_t ifindex = 0;
    Mac mac = {};
    bool transmits_xdp = false;
};

// Puts first, then what is gone. An interface for which no number is left is left out.
[[nodiscard]] std::vector<plan::Step> plan_links(std::span<const pst_link> links, const std::map<std::uint32_t, std::uint32_t>& link_of,
                                                 const std::vector<LinkWish>& wishes);

}  // namespace penstock::apply
