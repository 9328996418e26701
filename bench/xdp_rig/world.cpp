// SPDX-License-Identifier: Apache-2.0
#include "bench/xdp_rig/world.hpp"

#include "bench/native/sample.hpp"
#include "bpf/test/frame.hpp"
#include "ctl/plan/steering_plan.hpp"

namespace penstock::bench {

namespace {

constexpr std::uint32_t kBackends = 100;
constexpr std::uint16_t kBackendPort = 8080;
constexpr std::uint32_t kTcpHeader = 20;
constexpr std::uint32_t kUdpHeader = 8;

// Bits 32 to 63 of a backend's IPv6 address count them, as the last byte does in IPv4: those that a frame's PST_LOAD_ADDRESS_AT names.
std::string backend_address(bool v6, bool far, std::uint32_t number) {
    return v6 ? "fd00:" + std::to_string(far) + ":0:" + std::to_string(number) + "::1" : "10.0." + std::to_string(far) + "." + std::to_string(number);
}
const char* vip_address(bool v6) { return v6 ? "2001:db8:100::10" : "198.51.100.10"; }
const char* nat_address(bool v6) { return v6 ? "fd00:ff::1" : "10.0.255.1"; }

struct Wanted {
    compile::Steering steering;
    plan::ReachTable reach;
};

void add_listener(Wanted& wanted, const Listener& listener, const apply::Interface& out) {
    const auto number = static_cast<std::uint16_t>(wanted.steering.services.size() + 1);
    compile::Service service{.id = number, .name = "bench/" + std::to_string(number) + "/0", .family = listener.v6 ? Family::v6 : Family::v4,
                             .transport = listener.udp ? compile::Transport::udp : compile::Transport::tcp};
    for (std::uint32_t i = 1; i <= kBackends; ++i) {
        const auto id = static_cast<std::uint32_t>(wanted.steering.backends.size() + 1);
        const IpAddress address = *IpAddress::parse(backend_address(listener.v6, listener.way == Way::redirect, i));
        service.backends.push_back({.backend = id, .weight = 1});
        wanted.steering.backends.push_back({.id = id, .service = number, .endpoint = {address, kBackendPort}});
        wanted.reach[address] = {.exit = plan::Reach::Exit::xmit, .xdp = true, .ifindex = out.index, .source = *IpAddress::parse(nat_address(listener.v6)),
                                 .next_hop = address, .dmac = {2, 0, 0, 0, 0, 0xb1}, .smac = out.mac};
    }
    wanted.steering.vips.push_back({.address = {*IpAddress::parse(vip_address(listener.v6)), listener.port}, .transport = service.transport,
                                    .target = compile::Vip::Target::service, .service = number, .listener = number});
    wanted.steering.services.push_back(std::move(service));
}

// Every frame has the same length.
Bytes padded(bpf_test::Frame frame) {
    const bool v6 = frame.dst.address.find(':') != std::string::npos;
    const std::uint32_t headers = 14 + (v6 ? 40 : 20) + (frame.proto == 17 ? kUdpHeader : kTcpHeader);
    frame.payload.assign(PST_LOAD_FRAME - headers, 'x');
    return bpf_test::build(frame);
}

bpf_test::Frame frame_of(const Listener& listener, std::uint8_t flags) {
    return {.proto = static_cast<std::uint8_t>(listener.udp ? 17 : 6), .flags = flags};
}

bpf_test::End client(const Listener& listener) { return {listener.v6 ? "2001:db8::7" : "198.18.0.0", 1024}; }

}  // namespace

void build_world(const Rig& rig, Edge& edge) {
    Wanted wanted;
    for (const bool v6 : {false, true}) {
        for (const bool udp : {false, true}) {
            add_listener(wanted, {.v6 = v6, .udp = udp}, rig.edge());
        }
    }
    add_listener(wanted, {.port = kFarPort, .way = Way::redirect}, rig.out());
    plan::State state;
    const auto observed = edge.datapath().observed();
    const auto steps = plan::diff(observed, must(plan::desire(wanted.steering, wanted.reach, observed, state, 0)));
    must(apply::apply_steps(steps, [&](const plan::Step& step) { return edge.datapath().write(step); }));
}

Bytes request(const Listener& listener, std::uint8_t tcp_flags) {
    bpf_test::Frame frame = frame_of(listener, tcp_flags);
    frame.src = client(listener);
    frame.dst = {vip_address(listener.v6), listener.port};
    return padded(frame);
}

Bytes reply(const Listener& listener, std::uint8_t tcp_flags) {
    bpf_test::Frame frame = frame_of(listener, tcp_flags);
    frame.src = {backend_address(listener.v6, listener.way == Way::redirect, 0), kBackendPort};
    frame.dst = {nat_address(listener.v6), 0};
    return padded(frame);
}

Bytes stray(const Listener& listener) {
    bpf_test::Frame frame = frame_of(listener, bpf_test::kAck);
    frame.src = client(listener);
    frame.dst = {listener.v6 ? "2001:db8:100::11" : "198.51.100.11", listener.port};
    return padded(frame);
}

}  // namespace penstock::bench
