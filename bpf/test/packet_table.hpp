// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The packet table: what goes in, in which state, what verdict and which bytes come out. One table for every runner: the core on the
// host, the programs in the kernel. Each verdict must be produced by some row, or the suite fails.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bpf/test/frame.hpp"
#include "bpf/test/tables.hpp"

namespace penstock::bpf_test {

struct Step {
    pst_verdict verdict = PST_PASS_NOT_READY;
    Frame in;
    std::optional<Frame> out;                 // none: the bytes stay as they are
    std::uint32_t out_ifindex = 0;            // with `out`
    pst_hook hook = PST_HOOK_XDP;
    std::function<void(Tables&)> before;      // changes of the tables first
    std::function<void(Tables&)> while_rewriting;  // host only
};

struct Row {
    std::string name;
    std::vector<Step> steps;
    bool host_only = false;
};

inline constexpr std::uint32_t kUplink = 1;   // loopback's number: what BPF_PROG_RUN says a packet came in by
inline constexpr std::uint32_t kFabric = 2;   // towards the backends; nothing is sent to it by BPF_PROG_RUN
inline constexpr std::uint16_t kNatPort = 20000;

// Tables as every row finds them: see packet_world.cpp for the listeners, services and backends.
void build_world(Tables& tables);

// The time that `build_world` and the rows reckon with, in nanoseconds; a runner without a clock of its own uses it.
inline constexpr std::uint64_t kNow = 1000ULL << 32;

std::vector<Row> packet_table();

}  // namespace penstock::bpf_test
