// SPDX-License-Identifier: Apache-2.0
// Compiled tables in, packets through the kernel out.
#include <bpf/bpf.h>

#include "ctl/apply/test/edge_world.hpp"

using namespace penstock;
using namespace penstock::apply;
using namespace penstock::apply::testing;

TEST_CASE("edge: TCP and UDP, IPv4 and IPv6, reach another host, a pod and a bridge; a restart writes nothing and breaks no flow") {
    const World world;
    world.whole_checksums();
    const lab::EchoServer host(world.host, "host", kPort);
    const lab::EchoServer pod(world.pod, "pod", kPort);
    const lab::EchoServer bridged(world.bridged, "bridged", kPort);
    const compile::Compiled wanted = compiled({2, 3, 4});
    auto edge = open(world.options());
    go(*edge, wanted);
    settle(*edge, wanted);
    CHECK(std::all_of(edge->addresses().begin(), edge->addresses().end(), [](const auto& one) { return one.kind == AddressState::Kind::added; }));
    for (const char* vip : {"198.51.100.10", "[2001:db8:100::10]"}) {
        for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
            INFO(vip << (type == SOCK_STREAM ? " TCP" : " UDP"));
            CHECK(who_answers(world, vip, type, 30) == std::set<std::string>{"host", "pod", "bridged"});
        }
    }
    settle(*edge, wanted);
    CHECK(packets(*edge, "FORWARD_NEW") >= 120);
    CHECK(packets(*edge, "FORWARD_PROVEN") >= 60);
    CHECK(packets(*edge, "PASS_TO_TC") > 0);
    std::uint64_t proven = 0;
    for (std::uint32_t id = 1; id <= 12; ++id) {
        proven += edge->datapath()->backend_count(id).flows_proven;
    }
    CHECK(proven == packets(*edge, "FORWARD_PROVEN"));

    const Fd open_flow = lab::connect_to(world.client, *Endpoint::parse("198.51.100.10:80"), SOCK_STREAM);
    const std::string before = lab::ask(open_flow.get(), "one", false);
    edge.reset();
    CHECK(lab::ask(open_flow.get(), "two", false).substr(0, 3) == before.substr(0, 3));
    edge = open(world.options());
    go(*edge, wanted);
    CHECK(edge->steps_total() == 0);
    CHECK(lab::ask(open_flow.get(), "three", false).substr(0, 3) == before.substr(0, 3));
    // Backends that leave take no new flow; what is proven goes on as long as the backend is named.
    go(*edge, compiled({2}));
    CHECK(who_answers(world, "198.51.100.10", SOCK_STREAM, 10) == std::set<std::string>{"host"});
    go(*edge, {});
    CHECK(edge->addresses().empty());
    CHECK_FALSE(lab::connect_to(world.client, *Endpoint::parse("198.51.100.10:80"), SOCK_STREAM).valid());
    go(*edge, wanted);
    edge.reset();
    REQUIRE(Edge::detach(world.pins.path()).ok());
    auto netlink = Netlink::open();
    REQUIRE(netlink.ok());
    const auto left = netlink->addresses();
    REQUIRE(left.ok());
    CHECK(std::none_of(left->begin(), left->end(), [](const auto& one) { return one.ours; }));
}

TEST_CASE("edge: the same again is not compared with the maps, until it is asked to look") {
    const World world;
    const compile::Compiled wanted = compiled({2});
    auto edge = open(world.options());
    go(*edge, wanted);
    settle(*edge, wanted);
    go(*edge, wanted);
    const auto word = [&] { return edge->datapath()->observed().services[1]; };
    const pst_service_word_t whole = word();
    REQUIRE(whole != 0);
    const Fd map(::bpf_obj_get((edge->datapath()->folder() + "/maps/pst_services").c_str()));
    REQUIRE(map.valid());
    const std::uint32_t key = 1;
    const pst_service_word_t none = 0;
    REQUIRE(::bpf_map_update_elem(map.get(), &key, &none, BPF_ANY) == 0);
    REQUIRE(word() == 0);
    const std::uint64_t steps = edge->steps_total();
    go(*edge, wanted);
    CHECK(edge->steps_total() == steps);
    edge->look_again();
    go(*edge, wanted);
    CHECK(word() != 0);
    compile::Compiled fewer = wanted;
    fewer.steering.vips.clear();
    go(*edge, fewer);
    CHECK(edge->datapath()->observed().vips->empty());
}

TEST_CASE("edge: tc alone carries everything where no uplink has XDP, also unfinished checksums") {
    const World world;
    const lab::EchoServer host(world.host, "host", kPort);
    const lab::EchoServer pod(world.pod, "pod", kPort);
    const lab::EchoServer bridged(world.bridged, "bridged", kPort);
    EdgeOptions options = world.options();
    options.interfaces.clear();
    const compile::Compiled wanted = compiled({2, 3, 4});
    auto edge = open(options);
    go(*edge, wanted);
    settle(*edge, wanted);
    for (const Attached& one : edge->datapath()->attached()) {
        CHECK(one.xdp == XdpMode::none);
        CHECK(one.tc);
    }
    for (const char* vip : {"198.51.100.10", "[2001:db8:100::10]"}) {
        for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
            INFO(vip << (type == SOCK_STREAM ? " TCP" : " UDP"));
            CHECK(who_answers(world, vip, type, 30) == std::set<std::string>{"host", "pod", "bridged"});
        }
    }
    go(*edge, {});
    edge.reset();
    REQUIRE(Datapath::detach(world.pins.path()).ok());
}

TEST_CASE("edge: where the peers take XDP frames, XDP carries a flow both ways") {
    const World world;
    world.whole_checksums();
    world.client.sh("ethtool -K eth0 gro on");
    world.host.sh("ethtool -K eth0 gro on");
    const lab::EchoServer host(world.host, "host", kPort);
    const compile::Compiled wanted = compiled({2});
    auto edge = open(world.options());
    auto features = Netlink::open();
    REQUIRE(features.ok());
    if (!features->xdp_features(edge->datapath() == nullptr ? 0 : 1)) {
        WARN("this kernel does not tell XDP features (before 6.3)");
        return;
    }
    go(*edge, wanted);
    settle(*edge, wanted);
    // A neighbour may be asked before its interface has finished its own start.
    const auto known = [&] { return std::all_of(edge->reach().begin(), edge->reach().end(), [](const auto& entry) { return entry.second.xdp; }); };
    for (int i = 0; i < 20 && !known(); ++i) {
        if (edge->tick()) {
            go(*edge, wanted);
        }
        settle(*edge, wanted);
    }
    for (const auto& [address, reach] : edge->reach()) {
        INFO(address.text());
        CHECK(reach.exit == plan::Reach::Exit::xmit);
        CHECK(reach.xdp);
    }
    const std::uint64_t to_tc = packets(*edge, "PASS_TO_TC");
    for (const char* vip : {"198.51.100.10", "[2001:db8:100::10]"}) {
        for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
            INFO(vip << (type == SOCK_STREAM ? " TCP" : " UDP"));
            CHECK(who_answers(world, vip, type, 5) == std::set<std::string>{"host"});
        }
    }
    CHECK(packets(*edge, "PASS_TO_TC") == to_tc);
    CHECK(packets(*edge, "REPLY") + packets(*edge, "REPLY_TRIAL") > 0);
    go(*edge, {});
    edge.reset();
    REQUIRE(Datapath::detach(world.pins.path()).ok());
}

TEST_CASE("edge: a pod that comes later is attached and reached, one that goes is left") {
    const World world;
    const lab::EchoServer host(world.host, "host", kPort);
    const compile::Compiled wanted = compiled({2});
    auto edge = open(world.options());
    go(*edge, wanted);
    settle(*edge, wanted);
    const auto names = [&] {
        std::set<std::string> out;
        for (const Attached& one : edge->datapath()->attached()) {
            out.insert(one.name);
        }
        return out;
    };
    CHECK_FALSE(names().contains("late"));
    const lab::Namespace pod;
    lab::sh("ip link add late type veth peer name eth0 netns " + pod.path() + "; ip link set late up");
    settle(*edge, wanted);
    CHECK(names().contains("late"));
    CHECK_FALSE(names().contains("to-bridged"));  // a port: its bridge sees the packets
    CHECK(names().contains("cbr0"));
    lab::sh("ip link del late");
    settle(*edge, wanted);
    CHECK_FALSE(names().contains("late"));
    go(*edge, {});
    edge.reset();
    REQUIRE(Datapath::detach(world.pins.path()).ok());
}

TEST_CASE("edge: a backend without a route is a problem that names it, and the others are served") {
    const World world;
    const lab::EchoServer host(world.host, "host", kPort);
    compile::Compiled wanted = compiled({2});
    lab::sh("ip route add unreachable 10.44.0.0/16");
    wanted.steering.services[0].backends.push_back({.backend = 200, .weight = 1});
    wanted.steering.backends.push_back({.id = 200, .service = 1, .endpoint = *Endpoint::parse("10.44.0.1:80")});
    auto edge = open(world.options());
    const auto problems = edge->prepare(wanted, 0);
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].what == "reach the backend 10.44.0.1");
    CHECK(edge->finish(wanted, 0).empty());
    CHECK(who_answers(world, "198.51.100.10", SOCK_STREAM, 10) == std::set<std::string>{"host"});
    lab::sh("ip route del unreachable 10.44.0.0/16");
    go(*edge, {});
    edge.reset();
    REQUIRE(Datapath::detach(world.pins.path()).ok());
}

TEST_CASE("edge: NAT ports that overlap the kernel's are refused, and addresses work without a data path") {
    const World world;
    EdgeOptions options = world.options();
    options.datapath.nat_port_min = 50000;
    auto opened = Edge::open(options);
    REQUIRE(opened.ok());
    Edge& edge = **opened;
    REQUIRE_FALSE(edge.has_datapath());
    CHECK(edge.why_no_datapath()->hint.find("ip_local_port_range") != std::string::npos);
    compile::Compiled wanted = compiled({});
    wanted.steering = {};
    CHECK(edge.prepare(wanted, 0).empty());
    CHECK(edge.addresses().front().kind == AddressState::Kind::added);
    CHECK(edge.addresses().front().interface == "to-client");
    CHECK(edge.finish({}, 0).empty());
}

TEST_CASE("edge: of two daemons in one network namespace one alone has the addresses") {
    const World world;
    EdgeOptions options = world.options();
    options.bpf = false;
    auto first = Edge::open(options);
    REQUIRE(first.ok());
    compile::Compiled wanted = compiled({});
    wanted.steering = {};
    CHECK((*first)->prepare(wanted, 0).empty());
    auto second = Edge::open(options);
    REQUIRE(second.ok());
    // The other one wants none of them, then one more: it takes nothing away and says who is there.
    CHECK((*second)->finish({}, 0).empty());
    wanted.addresses.push_back({.address = *IpAddress::parse("198.51.100.99"), .requested = true, .owner = {}});
    for (int i = 0; i < 40; ++i) {  // more askers than a queue holds
        const auto problems = (*second)->prepare(wanted, 0);
        REQUIRE(problems.size() == 1);
        CHECK(problems[0].what == "put 198.51.100.99 on an interface");
        CHECK(problems[0].error.code == Errc::exists);
        CHECK(problems[0].error.hint.find("network namespace") != std::string::npos);
    }
    CHECK_FALSE(Edge::detach(world.pins.path()).ok());
    (*first)->tick();
    CHECK((*first)->prepare(wanted, 0).empty());
    first->reset();
    (*second)->on_events();
    CHECK((*second)->prepare(wanted, 0).empty());
    CHECK((*second)->finish({}, 0).empty());
}

TEST_CASE("edge: a run without BPF takes the data path of an earlier run off") {
    const World world;
    const lab::EchoServer host(world.host, "host", kPort);
    const compile::Compiled wanted = compiled({2});
    {
        auto edge = open(world.options());
        go(*edge, wanted);
    }
    EdgeOptions options = world.options();
    options.bpf = false;
    auto opened = Edge::open(options);
    REQUIRE(opened.ok());
    CHECK_FALSE((*opened)->has_datapath());
    CHECK_FALSE(lab::connect_to(world.client, *Endpoint::parse("198.51.100.10:80"), SOCK_STREAM).valid());
    CHECK((*opened)->finish({}, 0).empty());
}
