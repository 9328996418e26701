// SPDX-License-Identifier: Apache-2.0
#include "ctl/apply/links.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>

namespace penstock::apply {

namespace {

pst_link record_of(const LinkWish& wish) {
    pst_link record{};
    record.ifindex = wish.ifindex;
    std::copy(wish.mac.begin(), wish.mac.end(), record.mac);
    record.flags = wish.transmits_xdp ? PST_LINK_XDP_XMIT : 0;
    return record;
}

bool was_used(const pst_link& link) {
    static constexpr pst_link kEmpty{};
    return std::memcmp(&link, &kEmpty, sizeof(link)) != 0;
}

// A number that never was used, else one that is free: a link that was given up keeps its MAC as the mark of use.
std::optional<std::uint32_t> free_number(std::span<const pst_link> links, const std::set<std::uint32_t>& taken) {
    std::optional<std::uint32_t> second_best;
    for (std::uint32_t number = 0; number < links.size(); ++number) {
        if (links[number].ifindex != 0 || taken.contains(number)) {
            continue;
        }
        if (!was_used(links[number])) {
            return number;
        }
        second_best = second_best.value_or(number);
    }
    return second_best;
}

}  // namespace

std::vector<plan::Step> plan_links(std::span<const pst_link> links, const std::map<std::uint32_t, std::uint32_t>& link_of,
                                   const std::vector<LinkWish>& wishes) {
    std::vector<plan::Step> steps;
    std::set<std::uint32_t> taken;
    std::set<std::uint32_t> wanted;
    const auto add = [&](plan::Phase phase, plan::Step::What what) { steps.push_back({phase, std::move(what)}); };
    for (const LinkWish& wish : wishes) {
        const auto known = link_of.find(wish.ifindex);
        const std::optional<std::uint32_t> number = known != link_of.end() ? known->second : free_number(links, taken);
        if (!number || *number >= links.size()) {
            continue;
        }
        taken.insert(*number);
        wanted.insert(wish.ifindex);
        const pst_link record = record_of(wish);
        if (std::memcmp(&links[*number], &record, sizeof(record)) != 0) {
            add(plan::Phase::prepare, plan::PutLink{*number, record});
        }
        if (known == link_of.end()) {
            add(plan::Phase::prepare, plan::PutLinkOf{wish.ifindex, *number});
        }
    }
    for (const auto& [ifindex, number] : link_of) {
        if (wanted.contains(ifindex)) {
            continue;
        }
        add(plan::Phase::finish, plan::EraseLinkOf{ifindex});
        if (number < links.size() && links[number].ifindex != 0) {
            pst_link gone = links[number];
            gone.ifindex = 0;
            add(plan::Phase::finish, plan::PutLink{number, gone});
        }
    }
    return steps;
}

}  // namespace penstock::apply
