// SPDX-License-Identifier: Apache-2.0
// From the logical steering tables to what the BPF maps hold, and from there to ordered steps. Pure: what is in the maps, how backends are
// reached and what time it is are parameters.
//
//   Steering + ReachTable + Observed + State  --desire()-->  Desired  --diff()-->  steps
//
// Nothing has to outlive the daemon but the maps: which extents of the slab are in use, which backend id means which endpoint and its
// generation are read back from them. State only saves work and remembers what was freed a moment ago.
//
// Invariants of the steps, after each prefix of them: a VIP leads to a service whose word is there; a word to slots that are written; a slot
// to a backend record that is valid and of that service. A live extent is never written. What is right already is not written again.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bpf/abi/pst_abi.h"
#include "ctl/compile/steering.hpp"
#include "ctl/plan/reach.hpp"
#include "ctl/plan/slab.hpp"
#include "ctl/plan/step.hpp"
#include "userspace/base/result.hpp"

namespace penstock::plan {

// What the maps hold: views of their memory (apply maps them), and a copy of the one hash table. Sizes are the maps' own.
struct Observed {
    const pst_filter* filter = nullptr;
    const std::map<VipKey, pst_vip>* vips = nullptr;
    std::size_t vips_max = 0;
    std::span<const pst_service_word_t> services;  // by service id
    std::span<const std::uint32_t> slots;          // the slab
    std::span<const pst_backend> backends;         // by backend id
    const std::set<VipKey>* taken = nullptr;       // places that another program of this node has: no VIP leads past it; null: none
};

// What they shall hold. Ids that are not named shall hold nothing: word 0, flags 0 (the rest of a backend's record stays, so that its
// generation is known when the id comes back).
struct Desired {
    struct Table {
        pst_service_word_t word = 0;
        Slots slots;          // what the word's extent holds
        bool written = false; // it does already
    };
    pst_filter filter = {};
    std::map<VipKey, pst_vip> vips;
    std::vector<std::pair<std::uint16_t, Table>> services;      // by id
    std::vector<std::pair<std::uint32_t, pst_backend>> backends;  // by id
};

// Carried from plan to plan by the caller; a default one is right after a restart. It does not matter whether the steps of the last plan were
// carried out: what counts is what is observed.
struct State {
    static constexpr std::int64_t kGraceMs = 1000;  // far above an RCU grace period: no packet holds an extent that long

    struct Member {
        Endpoint endpoint;
        std::uint32_t weight = 0;
        std::uint32_t backend = 0;
        bool up = false;

        bool operator==(const Member&) const = default;
    };
    struct Cached {
        std::vector<Member> members;
        std::vector<std::uint32_t> base;  // member by slot, health aside
        Slots slots;                      // backend by slot
        pst_service_word_t word = 0;      // under which these slots were planned last; 0: never
    };
    std::unordered_map<std::uint16_t, Cached> tables;  // by service id

    struct Retired {
        Extent extent;
        std::int64_t free_at_ms;
    };
    std::deque<Retired> retired;             // oldest first
    std::vector<pst_service_word_t> seen;    // the words at the last plan: an extent that is gone since then is retired now
};

// The maps as they shall be. Errc::limit, before anything is written, if something does not fit: it names the object and the limit.
// `now_ms` is a monotonic clock.
[[nodiscard]] Result<Desired> desire(const compile::Steering& steering, const ReachTable& reach, const Observed& observed, State& state,
                                     std::int64_t now_ms);

// Whether two records are of the same endpoint in the same service: then flows of the one are flows of the other.
[[nodiscard]] bool same_endpoint(const pst_backend& a, const pst_backend& b);

// Steps from observed to desired, in safe order; those of Phase::prepare come first and may be carried out alone.
[[nodiscard]] std::vector<Step> diff(const Observed& observed, const Desired& desired);

}  // namespace penstock::plan
