// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Walks the rows of the packet table through anything that turns a frame into a verdict and bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string_view>

#include "bpf/test/packet_table.hpp"

namespace penstock::bpf_test {

struct Outcome {
    int verdict = -1;
    Bytes bytes;
    std::uint32_t ifindex = 0;  // it left by this device, 0: not sent, or the runner cannot tell
};

using Run = std::function<Outcome(pst_hook hook, std::uint32_t ifindex, const Bytes& frame)>;

std::string_view verdict_name(int verdict);
bool is_sent(int verdict);

// Checks each step of a row; gathers the verdicts seen.
void check_row(const Row& row, Tables& tables, const Run& run, std::set<int>& seen);

// Fails for a verdict that no row of the table produced.
void check_coverage(const std::set<int>& seen, const std::set<int>& exempt);

}  // namespace penstock::bpf_test
