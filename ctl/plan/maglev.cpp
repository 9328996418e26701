// SPDX-License-Identifier: Apache-2.0
#include "ctl/plan/maglev.hpp"

#include <algorithm>

#include "bpf/core/pst_service.h"

namespace penstock::plan {

namespace {
constexpr std::uint32_t kOverlayRounds = 64;
}  // namespace

std::vector<std::uint32_t> overlay(const std::vector<std::uint32_t>& table, const std::vector<bool>& up) {
    if (std::find(up.begin(), up.end(), true) == up.end()) {
        return {};
    }
    std::vector<std::uint32_t> result(table);
    const auto size = static_cast<std::uint32_t>(table.size());
    for (std::uint32_t slot = 0; slot < size; ++slot) {
        for (std::uint32_t round = 1; !up[result[slot]] && round < kOverlayRounds; ++round) {
            result[slot] = table[pst_slot_of_round(slot, round, size)];
        }
        if (!up[result[slot]]) {
            // Nearly everybody is down: whoever is up, spread evenly.
            std::uint32_t nth = slot % static_cast<std::uint32_t>(std::count(up.begin(), up.end(), true));
            for (std::uint32_t member = 0;; ++member) {
                if (up[member] && nth-- == 0) {
                    result[slot] = member;
                    break;
                }
            }
        }
    }
    return result;
}

}  // namespace penstock::plan
