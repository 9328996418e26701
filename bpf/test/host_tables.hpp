// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The tables in ordinary memory, and the core run on them.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "bpf/test/runner.hpp"
#include "bpf/test/tables.hpp"

namespace penstock::bpf_test {

// Called in the middle of the rewriting of a packet: a test plays another CPU here.
inline std::function<void()> g_while_rewriting;  // NOLINT

class HostTables {
public:
    HostTables();
    HostTables(const HostTables&) = delete;
    HostTables& operator=(const HostTables&) = delete;

    Tables& tables() { return view_; }
    // One frame through the core. The bytes lie in a buffer of exactly their size, so that ASan sees a step beyond it.
    Outcome run(pst_hook hook, std::uint32_t ifindex, const Bytes& frame);

    std::uint64_t now_ns = kNow;

private:
    struct Storage;
    std::shared_ptr<Storage> storage_;
    Tables view_;
};

}  // namespace penstock::bpf_test
