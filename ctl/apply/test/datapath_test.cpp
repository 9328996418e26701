// SPDX-License-Identifier: Apache-2.0
#include "ctl/apply/datapath.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "ctl/apply/attach.hpp"
#include "ctl/apply/test/lab.hpp"
#include "ctl/plan/steering_plan.hpp"
#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::apply;

namespace {

DatapathOptions small(const lab::PinDir& pins) {
    return {.pin_dir = pins.path(), .flows_max = 4096, .vips_max = 16, .services_max = 64, .backends_max = 256, .slots_max = 65536};
}

compile::Steering steering() {
    compile::Steering s;
    s.backends.push_back({.id = 1, .service = 1, .endpoint = *Endpoint::parse("10.1.0.1:80")});
    s.services.push_back({.id = 1, .name = "TCPRoute/default/r/0/v4", .backends = {{.backend = 1, .weight = 1}}});
    s.vips.push_back({.address = *Endpoint::parse("192.0.2.1:80"), .target = compile::Vip::Target::service, .service = 1, .listener = 1});
    s.vips.push_back({.address = *Endpoint::parse("192.0.2.1:443"), .listener = 2});
    return s;
}

std::vector<plan::Step> plan_of(const Datapath& datapath, const compile::Steering& wanted, plan::State& state) {
    const auto desired = plan::desire(wanted, {}, datapath.observed(), state, 0);
    REQUIRE(desired.ok());
    return plan::diff(datapath.observed(), *desired);
}

std::unique_ptr<Datapath> open(const DatapathOptions& options) {
    auto opened = Datapath::open(options);
    if (!opened.ok()) {
        FAIL(opened.error().report());
    }
    return std::move(opened).value();
}

Netlink netlink() {
    auto opened = Netlink::open();
    REQUIRE(opened.ok());
    return std::move(opened).value();
}

struct Veth {
    Veth() { lab::sh("ip link add d0 type veth peer name d1; ip link set d0 up; ip link set d1 up"); }
    ~Veth() { lab::sh("ip link del d0 2>/dev/null || true"); }
};

std::vector<AttachWish> wish_for(Netlink& from, const std::vector<std::string>& names) {
    std::vector<AttachWish> wishes;
    const auto interfaces = from.interfaces();
    REQUIRE(interfaces.ok());
    for (const Interface& one : *interfaces) {
        if (std::find(names.begin(), names.end(), one.name) != names.end()) {
            wishes.push_back({one, true});
        }
    }
    REQUIRE(wishes.size() == names.size());
    return wishes;
}

std::uint32_t xdp_id(const char* name) {
    __u32 id = 0;
    return bpf_xdp_query_id(static_cast<int>(if_nametoindex(name)), 0, &id) == 0 ? id : 0;
}

// "return XDP_PASS", as somebody else's.
Fd foreign_xdp() {
    const bpf_insn code[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = XDP_PASS},
                             {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
    return Fd(bpf_prog_load(BPF_PROG_TYPE_XDP, "foreign", "GPL", code, 2, nullptr));
}

}  // namespace

TEST_CASE("datapath: a restart finds all that it wrote and writes nothing") {
    const lab::PinDir pins;
    {
        auto first = open(small(pins));
        CHECK(first->steps_total() == 1);  // the configuration
        plan::State state;
        const auto steps = plan_of(*first, steering(), state);
        CHECK(steps.size() >= 6);
        REQUIRE(apply_steps(steps, [&](const plan::Step& step) { return first->write(step); }).ok());
        CHECK(first->steps_total() == 1 + steps.size());
        CHECK(plan_of(*first, steering(), state).empty());
        CHECK(first->folder() == pins.path() + "/" + std::string(abi_hash()));
    }
    auto second = open(small(pins));
    plan::State state;
    CHECK(plan_of(*second, steering(), state).empty());
    CHECK(second->steps_total() == 0);
    second.reset();
    // A changed option is one step, and the keys stay.
    DatapathOptions other = small(pins);
    other.nat_port_min = 62000;
    CHECK(open(other)->steps_total() == 1);
}

TEST_CASE("datapath: sizes of maps that exist stay, and are told by what is observed") {
    const lab::PinDir pins;
    CHECK(open(small(pins))->observed().services.size() == 65);
    DatapathOptions larger = small(pins);
    larger.services_max = 1000;
    CHECK(open(larger)->observed().services.size() == 65);
}

TEST_CASE("datapath: attaches, keeps attached without us, leaves what is not wished any more") {
    const lab::PinDir pins;
    const Veth veth;
    Netlink net = netlink();
    std::uint32_t program = 0;
    {
        auto first = open(small(pins));
        first->attach(wish_for(net, {"d0", "d1"}), net);
        REQUIRE(first->attached().size() == 2);
        for (const Attached& one : first->attached()) {
            INFO(one.name << " " << one.reason);
            CHECK(one.xdp == XdpMode::native);
            CHECK(one.tc);
        }
        program = xdp_id("d0");
        CHECK(program != 0);
    }
    CHECK(xdp_id("d0") == program);
    auto second = open(small(pins));
    second->attach(wish_for(net, {"d0", "d1"}), net);
    CHECK(xdp_id("d0") == program);
    CHECK(second->steps_total() == 0);
    second->attach(wish_for(net, {"d1"}), net);
    CHECK(xdp_id("d0") == 0);
    CHECK(tc_program(if_nametoindex("d0")) == 0);
    CHECK(xdp_id("d1") == program);
    CHECK(tc_program(if_nametoindex("d1")) != 0);
}

TEST_CASE("datapath: an interface that goes and comes again is attached anew") {
    const lab::PinDir pins;
    Netlink net = netlink();
    auto datapath = open(small(pins));
    {
        const Veth veth;
        datapath->attach(wish_for(net, {"d0"}), net);
        CHECK(xdp_id("d0") != 0);
    }
    datapath->attach({}, net);
    CHECK(datapath->attached().empty());
    const Veth veth;
    datapath->attach(wish_for(net, {"d0"}), net);
    CHECK(xdp_id("d0") != 0);
    CHECK(datapath->attached().front().reason.empty());
}

TEST_CASE("datapath: a program of somebody else stays, and the interface says why XDP is not ours") {
    const lab::PinDir pins;
    const Veth veth;
    Netlink net = netlink();
    const Fd foreign = foreign_xdp();
    REQUIRE(foreign.valid());
    REQUIRE(bpf_xdp_attach(static_cast<int>(if_nametoindex("d0")), foreign.get(), XDP_FLAGS_DRV_MODE, nullptr) == 0);
    const std::uint32_t theirs = xdp_id("d0");
    auto datapath = open(small(pins));
    datapath->attach(wish_for(net, {"d0"}), net);
    const Attached& one = datapath->attached().front();
    CHECK(one.xdp == XdpMode::none);
    CHECK(one.tc);
    CHECK(one.reason.find("another XDP program") != std::string::npos);
    CHECK(xdp_id("d0") == theirs);
    datapath.reset();
    REQUIRE(Datapath::detach(pins.path()).ok());
    CHECK(xdp_id("d0") == theirs);
}

TEST_CASE("datapath: a device without native XDP gets generic") {
    const lab::PinDir pins;
    lab::sh("ip link add br8 type bridge; ip link set br8 up");
    Netlink net = netlink();
    auto datapath = open(small(pins));
    datapath->attach(wish_for(net, {"br8"}), net);
    const Attached& one = datapath->attached().front();
    CHECK(one.xdp == XdpMode::generic);
    CHECK_FALSE(one.reason.empty());
    datapath->attach({}, net);
    lab::sh("ip link del br8");
}

TEST_CASE("datapath: detach takes everything of ours away") {
    const lab::PinDir pins;
    const Veth veth;
    Netlink net = netlink();
    open(small(pins))->attach(wish_for(net, {"d0"}), net);
    REQUIRE(Datapath::detach(pins.path()).ok());
    CHECK(xdp_id("d0") == 0);
    CHECK(tc_program(if_nametoindex("d0")) == 0);
    CHECK_FALSE(std::filesystem::exists(pins.path()));
    CHECK(Datapath::detach(pins.path()).ok());
}

TEST_CASE("datapath: a folder that is not on a BPF file system is refused with a hint") {
    const auto refused = Datapath::open({.pin_dir = "/tmp/penstock-no-bpffs"});
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == Errc::unsupported);
    CHECK(refused.error().hint.find("mount -t bpf") != std::string::npos);
}

TEST_CASE("datapath: pinned maps have one writer, and are not taken away under it") {
    const lab::PinDir pins;
    auto first = open(small(pins));
    const auto second = Datapath::open(small(pins));
    REQUIRE_FALSE(second.ok());
    CHECK(second.error().code == Errc::exists);
    CHECK(second.error().hint.find("--pin-dir") != std::string::npos);
    CHECK_FALSE(Datapath::detach(pins.path()).ok());
    first.reset();
    CHECK(Datapath::open(small(pins)).ok());
    CHECK(Datapath::detach(pins.path()).ok());
}

TEST_CASE("datapath: a full map stops the steps at the first that fails, which says its name") {
    const lab::PinDir pins;
    DatapathOptions tiny = small(pins);
    tiny.vips_max = 1;  // the map holds two
    auto datapath = open(tiny);
    std::vector<plan::Step> steps;
    for (std::uint16_t port = 1; port <= 64; ++port) {
        steps.push_back({plan::Phase::prepare, plan::PutVip{{{*IpAddress::parse("192.0.2.1"), port}, 6}, {}}});
    }
    const auto stopped = apply_steps(steps, [&](const plan::Step& step) { return datapath->write(step); });
    REQUIRE_FALSE(stopped.ok());
    CHECK(stopped.error().what.find("write pst_vips[192.0.2.1:") == 0);
    CHECK(stopped.error().hint.find("full") != std::string::npos);
    CHECK(datapath->steps_total() < 64);
}

TEST_CASE("datapath: the daemon's capabilities are enough, CAP_SYS_ADMIN is not among them") {
    const lab::PinDir pins;
    const Veth veth;
    Netlink before = netlink();
    open(small(pins))->attach(wish_for(before, {"d0"}), before);  // so that the child finds links and programs of an earlier run
    const pid_t child = fork();
    if (child == 0) {
        __user_cap_header_struct head{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
        __user_cap_data_struct caps[2]{};
        for (const unsigned cap : {CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, CAP_NET_RAW, CAP_NET_BIND_SERVICE}) {
            caps[cap / 32].effective |= 1U << cap % 32;
            caps[cap / 32].permitted |= 1U << cap % 32;
        }
        if (syscall(SYS_capset, &head, caps) != 0) {
            _exit(1);
        }
        auto datapath = Datapath::open(small(pins));
        auto net = Netlink::open();
        if (!datapath.ok() || !net.ok()) {
            _exit(2);
        }
        (*datapath)->attach(wish_for(*net, {"d0", "d1"}), *net);
        const auto& attached = (*datapath)->attached();
        const bool whole = std::all_of(attached.begin(), attached.end(), [](const Attached& one) { return one.tc && one.xdp == XdpMode::native; });
        _exit(attached.size() == 2 && whole ? 0 : 3);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WEXITSTATUS(status) == 0);
    CHECK(WIFEXITED(status));
}

TEST_CASE("datapath: without privileges the error says what is missing") {
    const lab::PinDir pins;
    // A child, because privileges do not come back.
    const pid_t child = fork();
    if (child == 0) {
        const bool dropped = setgid(65534) == 0 && setuid(65534) == 0;
        const auto refused = Datapath::open(small(pins));
        _exit(dropped && !refused.ok() && !refused.error().hint.empty() ? 0 : 1);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
}
