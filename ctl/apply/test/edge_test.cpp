// SPDX-License-Identifier: Apache-2.0
// The L4 side whole: a client, an edge (this process' namespace), a backend on another host, one in a pod behind a veth, one behind a bridge.
// Compiled tables in, packets through the kernel out.
#include "ctl/apply/edge.hpp"

#include <bpf/bpf.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>

#include "ctl/apply/test/lab.hpp"
#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::apply;

namespace {

constexpr std::uint16_t kPort = 5000;

struct World {
    lab::Namespace client;
    lab::Namespace host;
    lab::Namespace pod;
    lab::Namespace bridged;
    lab::PinDir pins;

    World() {
        lab::sh("sysctl -qw net.ipv4.ip_local_port_range='32768 60999' net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0");
        connect(client, "client", 1, "");
        connect(host, "host", 2, "");
        connect(pod, "pod", 3, "");
        lab::sh("ip link add cbr0 type bridge; ip link set cbr0 up");
        connect(bridged, "bridged", 4, "cbr0");
        client.sh("ip route add 198.51.100.0/24 via 10.90.1.1; ip -6 route add 2001:db8:100::/64 via fd90:1::1");
    }
    ~World() {
        for (const char* name : {"to-client", "to-host", "to-pod", "to-bridged", "cbr0"}) {
            lab::sh(std::string("ip link del ") + name);
        }
    }

    static void connect(const lab::Namespace& to, const std::string& name, int net, const std::string& bridge) {
        const std::string outer = "to-" + name;
        const std::string n = std::to_string(net);
        lab::sh("ip link add " + outer + " type veth peer name eth0 netns " + to.path());
        if (!bridge.empty()) {
            lab::sh("ip link set " + outer + " master " + bridge);
        }
        const std::string port = bridge.empty() ? outer : bridge;
        lab::sh("ip addr add 10.90." + n + ".1/24 dev " + port + "; ip addr add fd90:" + n + "::1/64 dev " + port + " nodad; ip link set " + outer + " up");
        to.sh("ip addr add 10.90." + n + ".2/24 dev eth0; ip addr add fd90:" + n + "::2/64 dev eth0 nodad; ip link set eth0 up");
        to.sh("ip route add default via 10.90." + n + ".1; ip -6 route add default via fd90:" + n + "::1");
    }

    [[nodiscard]] EdgeOptions options() const {
        EdgeOptions made{.interfaces = {"to-client", "to-host"}};
        made.datapath = {.pin_dir = pins.path(), .flows_max = 65536, .vips_max = 64, .services_max = 64, .backends_max = 256, .slots_max = 65536};
        return made;
    }
    // XDP sees frames as on a wire only if the sender finishes its checksums.
    void whole_checksums() const {
        for (const lab::Namespace* one : {&client, &host}) {
            one->sh("ethtool -K eth0 tx off tso off gso off >/dev/null");
        }
    }
};

// One service for each family and transport over the given backends' nets, and VIPs for them.
compile::Compiled compiled(const std::vector<int>& nets) {
    compile::Compiled out;
    std::uint16_t service = 0;
    std::uint32_t backend = 0;
    for (const bool six : {false, true}) {
        for (const auto transport : {compile::Transport::tcp, compile::Transport::udp}) {
            compile::Service made{.id = ++service, .name = "r" + std::to_string(service), .family = six ? Family::v6 : Family::v4, .transport = transport};
            for (const int net : {2, 3, 4}) {
                ++backend;  // stable numbers
                if (std::find(nets.begin(), nets.end(), net) == nets.end()) {
                    continue;
                }
                const std::string n = std::to_string(net);
                const auto endpoint = Endpoint::parse((six ? "[fd90:" + n + "::2]" : "10.90." + n + ".2") + ":" + std::to_string(kPort));
                made.backends.push_back({.backend = backend, .weight = 1});
                out.steering.backends.push_back({.id = backend, .service = service, .endpoint = *endpoint});
            }
            const IpAddress vip = *IpAddress::parse(six ? "2001:db8:100::10" : "198.51.100.10");
            out.steering.vips.push_back({.address = {vip, 80}, .transport = transport, .target = compile::Vip::Target::service, .service = service, .listener = service});
            out.steering.services.push_back(std::move(made));
        }
        out.addresses.push_back({.address = *IpAddress::parse(six ? "2001:db8:100::10" : "198.51.100.10"), .requested = true});
    }
    return out;
}

std::unique_ptr<Edge> open(const EdgeOptions& options) {
    auto opened = Edge::open(options);
    if (!opened.ok()) {
        FAIL(opened.error().report());
    }
    auto edge = std::move(opened).value();
    if (!edge->has_datapath()) {
        FAIL(edge->why_no_datapath()->report());
    }
    return edge;
}

void go(Edge& edge, const compile::Compiled& wanted, std::int64_t now_ms = 1000) {
    for (const auto& problems : {edge.prepare(wanted, now_ms), edge.finish(wanted, now_ms)}) {
        for (const Problem& problem : problems) {
            FAIL(problem.what << ": " << problem.error.report());
        }
    }
}

// Follows events until nothing has come for a moment.
void settle(Edge& edge, const compile::Compiled& wanted) {
    pollfd one{edge.events_fd(), POLLIN, 0};
    for (int i = 0; i < 50 && poll(&one, 1, 200) == 1; ++i) {
        if (edge.on_events()) {
            go(edge, wanted);
        }
    }
}

std::set<std::string> who_answers(const World& world, const std::string& vip, int type, int flows) {
    std::set<std::string> names;
    for (int i = 0; i < flows; ++i) {
        const Fd fd = lab::connect_to(world.client, *Endpoint::parse(vip + ":80"), type);
        const std::string answer = lab::ask(fd.get(), "hello", type == SOCK_DGRAM);
        names.insert(answer.substr(0, answer.find(' ')));
        CHECK(answer.size() > 6);
    }
    return names;
}

std::uint64_t packets(Edge& edge, const std::string& verdict) {
    const auto all = edge.datapath()->verdicts();
    return std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.name == verdict; })->packets;
}

}  // namespace

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
