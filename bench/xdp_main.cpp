// SPDX-License-Identifier: Apache-2.0
// What a packet costs: nanoseconds per packet of the XDP program as it is installed, its tables written as the daemon writes them.
//
// Frames go through a veth pair to the program and on to a sink; then the same frames through a program that only lets them go the same way,
// the floor, which is subtracted. Both are measured in turn, several times. See xdp_rig/rig.hpp.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <span>
#include <string>
#include <string_view>

#include "bench/native/report.hpp"
#include "bench/native/sample.hpp"
#include "bench/xdp_rig/flows.hpp"
#include "bpf/test/frame.hpp"

using namespace penstock;
using namespace penstock::bench;

namespace {

constexpr std::uint32_t kFlows = 500'000;
constexpr std::uint32_t kFlowsMax = 1U << 21;  // of the tables: rated for a quarter
constexpr std::uint32_t kBurst = 50'000;       // frames per figure
constexpr int kBursts = 4;                     // per round
constexpr std::uint64_t kTickNs = 1ULL << PST_TICK_SHIFT;

struct Case {
    std::string what;
    Load load;
    const char* verdict;  // that of its frames
    Way way = Way::tx;
    bool first_in_tick = false;  // each flow's first packet since the age of flows counted on; else that was before
    std::vector<double> floor_ns = {};
    std::vector<double> own_ns = {};
};

std::uint64_t monotonic_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000ULL + static_cast<std::uint64_t>(now.tv_nsec);
}

// Until a new tick has begun, unless so much of this one is left.
void wait_for_tick(std::uint64_t room_ns) {
    const std::uint64_t left = kTickNs - monotonic_ns() % kTickNs;
    if (left < room_ns) {
        usleep(static_cast<useconds_t>(left / 1000 + 10'000));
    }
}

// A frame that got lost or was judged otherwise would spoil the figure.
void check_frames(const Case& one, const char* where, std::uint64_t seen) {
    constexpr std::uint64_t kSent = kBurst * kBursts;
    if (seen < kSent - kSent / 200) {
        give_up({.code = Errc::internal, .what = one.what + ": " + std::to_string(seen) + " of " + std::to_string(kSent) + " frames " + where});
    }
}

// Several figures are taken in one go; the sinks and counters tell whether all frames went that way.
void take(Rig& rig, const Case& one, std::vector<double>& figures) {
    const std::uint64_t sunk = rig.sunk();
    for (int i = 0; i < kBursts; ++i) {
        figures.push_back(rig.send(kBurst));
    }
    if (one.way != Way::pass) {
        check_frames(one, "came to the sink", rig.sunk() - sunk);
    }
}

void take_floor(Rig& rig, Edge& edge, Case& one) {
    edge.attach(rig.floor(one.way));
    rig.prepare(one.load);
    const std::uint64_t before = rig.floor_frames();
    take(rig, one, one.floor_ns);
    check_frames(one, "came to the floor", rig.floor_frames() - before);
}

void take_own(Rig& rig, Edge& edge, Case& one) {
    edge.attach_own();
    rig.prepare(one.load);
    wait_for_tick(one.first_in_tick ? kTickNs : kTickNs / 2);
    if (!one.first_in_tick) {
        rig.send(static_cast<std::uint32_t>(std::max<std::size_t>(one.load.ends.size(), 10'000)));
    }
    const std::uint64_t before = edge.count(one.verdict);
    take(rig, one, one.own_ns);
    check_frames(one, one.verdict, edge.count(one.verdict) - before);
}

void tell(const std::vector<Case>& cases, Table& table) {
    for (const Case& one : cases) {
        table.add(one.what, {best(one.own_ns) - best(one.floor_ns), median(one.own_ns) - median(one.floor_ns), best(one.floor_ns)});
    }
}

std::string count_text(std::size_t count) {
    return count == 1 ? "1 flow" : count < 1000 ? std::to_string(count) + " flows" : std::to_string(count / 1000) + ",000 flows";
}

std::vector<Case> cases_of(const Listener& listener, const Flows& flows) {
    const Places places = places_of(listener.v6);
    const std::string name = listener.name() + ", ";
    const auto some = [](const std::vector<pst_load_end>& ends, std::size_t count) { return std::span(ends).first(count); };
    const Load forward{request(listener, bpf_test::kAck), places.source_port, {}};
    const Load back{reply(listener, bpf_test::kAck), places.destination_port, {}};
    const Load opens{request(listener, bpf_test::kSyn), places.source_port, {}};
    std::vector<Case> cases;
    for (const std::size_t count : {std::size_t{1}, std::size_t{1'000}, std::size_t{100'000}, flows.clients.size()}) {
        cases.push_back({name + "to the backend, " + count_text(count), {forward.frame, forward.port_at, some(flows.clients, count)}, "FORWARD"});
        cases.push_back({name + "to the client, " + count_text(count), {back.frame, back.port_at, some(flows.backends, count)}, "REPLY"});
    }
    cases.push_back({name + "to the backend, each flow's first packet in 4 s, 200,000 flows",
                     {forward.frame, forward.port_at, some(flows.clients, kBurst * kBursts)}, "FORWARD", Way::tx, true});
    cases.push_back({name + (listener.udp ? "first datagram of a new flow" : "SYN of a new flow"), opens, "FORWARD_NEW"});
    if (!listener.udp) {
        Listener nobody = listener;
        nobody.port = kNoListener;
        cases.push_back({name + "for our address, no listener (pass)", {request(nobody, bpf_test::kAck), places.source_port, {}}, "PASS_NOT_VIP", Way::pass});
        cases.push_back({name + "for another address (pass)", {stray(listener), places.source_port, {}}, "PASS_NOT_OURS", Way::pass});
    }
    return cases;
}

struct Arguments {
    int rounds = 7;
    std::string only;  // cases whose name begins with this
};

void measure_listener(Rig& rig, const Listener& listener, std::uint32_t count, const Arguments& arguments, Table& table) {
    Edge edge(rig, kFlowsMax);
    build_world(rig, edge);
    edge.attach_own();
    std::fprintf(stderr, "%s, port %u: establishing %u flows\n", listener.name().c_str(), listener.port, count);
    const Flows flows = establish(edge, listener, count);
    std::vector<Case> cases;
    if (listener.way == Way::tx) {
        cases = cases_of(listener, flows);
    } else {
        const Load load{request(listener, bpf_test::kAck), places_of(listener.v6).source_port, flows.clients};
        cases.push_back({listener.name() + ", to the backend by another interface (redirect), " + count_text(count), load, "FORWARD", listener.way});
    }
    std::erase_if(cases, [&](const Case& one) { return !one.what.starts_with(arguments.only); });
    for (int round = 0; round < arguments.rounds; ++round) {
        for (Case& one : cases) {
            take_floor(rig, edge, one);
            take_own(rig, edge, one);
        }
    }
    tell(cases, table);
}

bool parse(int argc, char** argv, Arguments& arguments) {
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string_view name = argv[i];
        if (name == "--rounds") {
            arguments.rounds = std::max(1, std::atoi(argv[i + 1]));
        } else if (name == "--only") {
            arguments.only = argv[i + 1];
        } else {
            return false;
        }
    }
    return argc % 2 == 1;
}

}  // namespace

int main(int argc, char** argv) {
    Arguments arguments;
    if (!parse(argc, argv, arguments)) {
        std::fprintf(stderr, "usage: bench/xdp [--rounds N] [--only TEXT]   cases whose name begins with TEXT, e.g. 'TCP IPv4, to the'\n");
        return 2;
    }
    Report report;
    Table& table = report.table("ns per packet", {{"program, best"}, {"program, median"}, {"floor, best"}});
    Rig rig;
    for (const bool v6 : {false, true}) {
        for (const bool udp : {false, true}) {
            const Listener listener{.v6 = v6, .udp = udp};
            if (listener.name().starts_with(arguments.only.substr(0, listener.name().size()))) {
                measure_listener(rig, listener, kFlows, arguments, table);
            }
        }
    }
    measure_listener(rig, {.port = kFarPort, .way = Way::redirect}, 1, arguments, table);
    report.print();
    return 0;
}
