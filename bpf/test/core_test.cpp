// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "bpf/test/host_tables.hpp"
#include "bpf/test/packet_rows.hpp"
#include "tools/test/catch.hpp"

using namespace penstock::bpf_test;

TEST_CASE("core: every row of the packet table holds, and every verdict has a row") {
    HostTables host;
    std::set<int> seen;
    for (const Row& row : packet_table()) {
        const Run run = [&](pst_hook hook, std::uint32_t ifindex, const Bytes& frame) { return host.run(hook, ifindex, frame); };
        // The hook into the rewriting is per step: wrap the run of the rows that have one.
        const Row* current = &row;
        std::size_t step = 0;
        check_row(
            row, host.tables(),
            [&](pst_hook hook, std::uint32_t ifindex, const Bytes& frame) {
                const Step& now = current->steps[step++];
                g_while_rewriting = nullptr;
                if (now.while_rewriting) { g_while_rewriting = [&] { now.while_rewriting(host.tables()); }; }
                Outcome outcome = run(hook, ifindex, frame);
                g_while_rewriting = nullptr;
                return outcome;
            },
            seen);
    }
    check_coverage(seen, {});
}

TEST_CASE("core: a frame cut at any length is never sent and changes no byte") {
    HostTables host;
    for (const bool v6 : {false, true}) {
        for (const std::uint16_t port : {std::uint16_t{80}, std::uint16_t{53}}) {
            build_world(host.tables());
            Frame frame = request(v6, port, kSyn);
            frame.proto = port == 53 ? 17 : 6;
            const Bytes whole = build(frame);
            for (std::size_t size = 0; size < whole.size(); size++) {
                INFO((v6 ? "IPv6 " : "IPv4 ") << "port " << port << " cut at " << size);
                const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
                const Outcome got = host.run(PST_HOOK_XDP, kUplink, cut);
                CHECK(!is_sent(got.verdict));
                CHECK(got.bytes == cut);
            }
            CHECK(is_sent(host.run(PST_HOOK_XDP, kUplink, whole).verdict));
        }
    }
}

TEST_CASE("core: a packet counts once, for its verdict and for its backend") {
    HostTables host;
    build_world(host.tables());
    for (const Step& step : handshake(false)) { host.run(step.hook, kUplink, build(step.in)); }
    const pst_backend_count& n = host.tables().backend_counts[1];
    CHECK(n.packets_in == 2);
    CHECK(n.packets_out == 1);
    CHECK(n.bytes_in == 2 * 54);
    CHECK(n.flows_new == 1);
    CHECK(n.flows_proven == 1);
    host.run(PST_HOOK_XDP, kUplink, build(request(false, 81, kSyn)));
    CHECK(host.tables().service_counts[4].packets_dropped == 1);
    std::uint64_t packets = 0;
    for (const pst_verdict_count& count : host.tables().counts) { packets += count.packets; }
    CHECK(packets == 4);
}

TEST_CASE("core: a CPU that has read the clock earlier than another takes nothing from it") {
    HostTables host;
    build_world(host.tables());
    const std::vector<Step> steps = handshake(false);
    CHECK(host.run(PST_HOOK_XDP, kUplink, build(steps[0].in)).verdict == PST_FORWARD_NEW);
    host.now_ns = kNow - (3ULL << 20);
    CHECK(host.run(PST_HOOK_XDP, kUplink, build(steps[1].in)).verdict == PST_REPLY_TRIAL);
    host.now_ns = kNow;
    CHECK(host.run(PST_HOOK_XDP, kUplink, build(steps[2].in)).verdict == PST_FORWARD_PROVEN);
    // The flow has the only port there is, and its age is of a tick that has not begun here.
    host.now_ns = kNow - 1;
    Frame other = request(false, 80, kSyn);
    other.src.port++;
    CHECK(host.run(PST_HOOK_XDP, kUplink, build(other)).verdict == PST_DROP_NO_PORT);
}

TEST_CASE("core: incremental checksums are those of a sender, for a thousand packets") {
    std::uint32_t x = 12345;
    for (int i = 0; i < 1000; i++) {
        x = x * 1664525 + 1013904223;
        const bool v6 = (x & 1) != 0;
        HostTables host;
        build_world(host.tables());
        Frame frame = request(v6, (x & 2) != 0 ? 80 : 53, kSyn);
        frame.proto = (x & 2) != 0 ? 6 : 17;
        frame.src.port = static_cast<std::uint16_t>(x >> 16);
        frame.seq = x;
        frame.ttl = static_cast<std::uint8_t>(2 + (x >> 8) % 250);
        frame.payload = std::string(x >> 4 & 31, static_cast<char>(x >> 20));
        INFO("round " << i);
        CHECK(hex(host.run(PST_HOOK_XDP, kUplink, build(frame)).bytes) == hex(build(forwarded(frame))));
    }
}

TEST_CASE("core: a flood of forged sources takes nothing from a proven flow, nor from a client among it") {
    HostTables host;
    build_world(host.tables());
    host.tables().config->nat_port_max = kNatPort + 511;
    for (const Step& step : handshake(false)) {
        Frame in = step.in;
        const Outcome got = host.run(step.hook, kUplink, build(in));
        if (step.verdict == PST_REPLY_TRIAL) { continue; }
        REQUIRE(is_sent(got.verdict));
    }
    std::uint32_t x = 99;
    int served = 0;
    for (int i = 0; i < 20000; i++) {
        x = x * 1664525 + 1013904223;
        Frame forged = request(false, 80, kSyn);
        forged.src.address = "203.0." + std::to_string(x >> 8 & 255) + "." + std::to_string(x >> 16 & 255);
        forged.src.port = static_cast<std::uint16_t>(x >> 3);
        const int verdict = host.run(PST_HOOK_XDP, kUplink, build(forged)).verdict;
        served += is_sent(verdict) ? 1 : 0;
        if (i % 1000 == 0) {
            CHECK(host.run(PST_HOOK_XDP, kUplink, build(request(false, 80, kAck))).verdict != PST_DROP_NO_FLOW);
        }
    }
    CHECK(served > 19000);
}
