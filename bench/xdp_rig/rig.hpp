// SPDX-License-Identifier: Apache-2.0
// Where packets are measured: network and mount namespaces of this process alone, and two veth pairs.
//
//     generator, sink: load0 == edge0: the program under test, or a floor program in its place
//                      sink: far0 == out0: what leaves by another interface
//
// The generator, the programs and the sink run one after the other on one CPU, so the time per frame is what all of them cost together.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "bench/xdp_rig/load.h"
#include "ctl/apply/netlink.hpp"
#include "ctl/apply/datapath.hpp"
#include "userspace/base/fd.hpp"

namespace penstock::bench {

using Bytes = std::vector<std::uint8_t>;

// What the generator sends.
struct Load {
    Bytes frame;                            // PST_LOAD_FRAME bytes
    std::uint32_t port_at = 0;              // of the port that changes with each frame
    std::span<const pst_load_end> ends;     // in turn; empty: random ones
};

// How a frame leaves the program at edge0.
enum class Way : std::uint8_t { tx, redirect, pass };

class Rig {
public:
    // Moves this process into its namespaces: call it before there is another thread.
    Rig();
    ~Rig();
    Rig(const Rig&) = delete;
    Rig& operator=(const Rig&) = delete;

    [[nodiscard]] const apply::Interface& edge() const { return edge_; }
    [[nodiscard]] const apply::Interface& out() const { return out_; }

    void prepare(const Load& load);
    // Nanoseconds per frame, without the time that other processes had the CPU. Goes on in the load where it stopped.
    double send(std::uint32_t frames);

    // A program that lets frames go this way and does nothing else, and how many it has seen.
    [[nodiscard]] int floor(Way way) const;
    [[nodiscard]] std::uint64_t floor_frames() const;
    // How many frames came to a sink.
    [[nodiscard]] std::uint64_t sunk() const;

private:
    struct Skeleton;
    std::unique_ptr<Skeleton> skeleton_;
    std::span<pst_load_end> ends_;
    apply::Interface load_;
    apply::Interface edge_;
    apply::Interface out_;
};

// The edge's own programs, loaded, with tables of their own; on edge0 while it lives.
class Edge {
public:
    Edge(const Rig& rig, std::uint32_t flows_max);
    ~Edge();
    Edge(const Edge&) = delete;
    Edge& operator=(const Edge&) = delete;

    [[nodiscard]] apply::Datapath& datapath() { return *datapath_; }

    // Which program edge0 has: ours, or another.
    void attach_own() { attach(program_.get()); }
    void attach(int program);

    // One frame through the program, as if it came in by edge0: what it answers, and the frame afterwards.
    std::uint32_t run(Bytes& frame) const;
    [[nodiscard]] std::uint64_t count(std::string_view verdict) const;

private:
    std::string pin_dir_;
    std::uint32_t ifindex_;
    std::unique_ptr<apply::Datapath> datapath_;
    Fd program_;
    Fd link_;
};

}  // namespace penstock::bench
