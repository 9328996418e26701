// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The tables of the core as a test sees them, wherever they lie: in vectors, or in mapped BPF maps. Changing them through this is
// playing apply, or playing time.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "bpf/abi/pst_abi.h"

namespace penstock::bpf_test {

struct Tables {
    std::function<std::uint64_t()> now;  // CLOCK_MONOTONIC of the programs, ns
    pst_config* config = nullptr;
    pst_filter* filter = nullptr;
    std::span<pst_service_word_t> services;
    std::span<pst_slot_line> slots;
    std::span<pst_backend> backends;
    std::span<pst_link> links;
    std::span<pst_flow_line> flows;
    std::span<pst_return> returns;
    std::span<pst_trial> trials;
    std::span<pst_trial_ref> trial_index;
    std::span<pst_source> sources;
    std::span<pst_verdict_count> counts;              // host only
    std::span<pst_backend_count> backend_counts;      // host only
    std::span<pst_service_count> service_counts;      // host only
    std::function<void(const pst_vip_key&, const pst_vip&)> put_vip;
    std::function<void(std::uint32_t ifindex, std::uint32_t link)> put_link;
    std::function<void()> config_changed;             // after a change of *config
    std::function<const pst_vip*(const pst_vip_key&)> find_vip;            // host only
    std::function<const std::uint32_t*(std::uint32_t ifindex)> find_link;  // host only
};

// Small, so that a test can fill them.
inline constexpr std::uint32_t kFlowLines = 64;
inline constexpr std::uint32_t kReturns = 1024;
inline constexpr std::uint32_t kTrials = 256;
inline constexpr std::uint32_t kSources = 64;
inline constexpr std::uint32_t kServices = 64;
inline constexpr std::uint32_t kBackends = 64;
inline constexpr std::uint32_t kSlotLines = 64;
inline constexpr std::uint32_t kLinks = 16;

}  // namespace penstock::bpf_test
