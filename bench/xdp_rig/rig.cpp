// SPDX-License-Identifier: Apache-2.0
#include "bench/xdp_rig/rig.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>

#include "bench/native/sample.hpp"
#include "bpf/pst_load_bpf.skel.h"
#include "ctl/apply/pins.hpp"

namespace penstock::bench {

namespace {

constexpr const char* kBpffs = "/sys/fs/bpf";

void sh(const std::string& command) {
    if (std::system(command.c_str()) != 0) {
        give_up({.code = Errc::kernel, .what = "run " + command});
    }
}

void check(int failed, const std::string& what) {
    if (failed != 0) {
        give_up(sys_error(what, "this benchmark needs root, and a machine that allows BPF and network namespaces"));
    }
}

// Nothing of this is seen outside: it ends with the process.
void enter_namespaces() {
    check(unshare(CLONE_NEWNET | CLONE_NEWNS), "make namespaces");
    check(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "make mounts private");
    check(mount("bpf", kBpffs, "bpf", 0, nullptr), "mount a BPF file system");
    sh("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1");
    sh("ip link add load0 type veth peer name edge0; ip link add far0 type veth peer name out0");
    sh("for device in load0 edge0 far0 out0; do ip link set $device up; done");
}

// On one CPU, and seldom disturbed there.
void settle() {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(static_cast<std::size_t>(sysconf(_SC_NPROCESSORS_ONLN) - 1), &cpus);
    check(sched_setaffinity(0, sizeof cpus, &cpus), "choose a CPU");
    (void)setpriority(PRIO_PROCESS, 0, -20);
}

apply::Interface interface_named(const std::string& name) {
    apply::Netlink netlink = must(apply::Netlink::open());
    const auto all = must(netlink.interfaces());
    const auto found = std::find_if(all.begin(), all.end(), [&](const apply::Interface& one) { return one.name == name; });
    if (found == all.end()) {
        give_up({.code = Errc::not_found, .what = "find the interface " + name});
    }
    return *found;
}

xdp_md context_of(std::uint32_t ifindex, std::size_t size) { return {.data_end = static_cast<__u32>(size), .ingress_ifindex = ifindex}; }

}  // namespace

// ---- the rig ------------------------------------------------------------------------------------------------------------

struct Rig::Skeleton {
    ::pst_load_bpf* object = nullptr;
    ~Skeleton() { pst_load_bpf__destroy(object); }
};

Rig::Rig() : skeleton_(std::make_unique<Skeleton>()) {
    enter_namespaces();
    settle();
    load_ = interface_named("load0");
    edge_ = interface_named("edge0");
    out_ = interface_named("out0");
    ::pst_load_bpf*& object = skeleton_->object;
    object = pst_load_bpf__open_and_load();
    check(object == nullptr, "load the generator");
    object->bss->pst_load.redirect_to = out_.index;
    const std::size_t bytes = PST_LOAD_ENDS_MAX * sizeof(pst_load_end);
    void* start = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(object->maps.pst_load_ends), 0);
    check(start == MAP_FAILED, "map the generator's table");
    ends_ = {static_cast<pst_load_end*>(start), PST_LOAD_ENDS_MAX};
    for (const char* name : {"load0", "far0"}) {
        check(bpf_xdp_attach(static_cast<int>(interface_named(name).index), bpf_program__fd(object->progs.pst_load_sink), XDP_FLAGS_DRV_MODE, nullptr),
              std::string("attach the sink to ") + name);
    }
}

Rig::~Rig() { munmap(ends_.data(), ends_.size_bytes()); }

void Rig::prepare(const Load& load) {
    ::pst_load& told = skeleton_->object->bss->pst_load;
    std::memcpy(told.frame, load.frame.data(), sizeof told.frame);
    std::copy(load.ends.begin(), load.ends.end(), ends_.begin());
    told.ends = static_cast<__u32>(load.ends.size());
    told.port_at = load.port_at;
    told.next = 0;
}

double Rig::send(std::uint32_t frames) {
    Bytes frame(PST_LOAD_FRAME);
    xdp_md context = context_of(load_.index, frame.size());
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(), .data_size_in = PST_LOAD_FRAME, .ctx_in = &context, .ctx_size_in = sizeof context,
                .repeat = static_cast<int>(frames), .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = 64);
    check(bpf_prog_test_run_opts(bpf_program__fd(skeleton_->object->progs.pst_load_send), &options), "send live frames");
    return options.duration;
}

int Rig::floor(Way way) const {
    const auto& programs = skeleton_->object->progs;
    return bpf_program__fd(way == Way::tx ? programs.pst_floor_tx : way == Way::redirect ? programs.pst_floor_redirect : programs.pst_floor_pass);
}

std::uint64_t Rig::floor_frames() const { return skeleton_->object->bss->pst_load_arrived; }
std::uint64_t Rig::sunk() const { return skeleton_->object->bss->pst_load_sunk; }

// ---- the edge -----------------------------------------------------------------------------------------------------------

Edge::Edge(const Rig& rig, std::uint32_t flows_max) : pin_dir_(std::string(kBpffs) + "/penstock"), ifindex_(rig.edge().index) {
    // Many ports, so that few backends are enough for many flows.
    datapath_ = must(apply::Datapath::open({.pin_dir = pin_dir_, .nat_port_min = 12288, .nat_port_max = 28671, .flows_max = flows_max}));
    apply::Netlink netlink = must(apply::Netlink::open());
    datapath_->attach({{rig.edge(), true}, {rig.out(), true}}, netlink);
    for (const apply::Attached& one : datapath_->attached()) {
        if (one.xdp != apply::XdpMode::native || !one.reason.empty()) {
            give_up({.code = Errc::unsupported, .what = "attach XDP to " + one.name, .hint = one.reason});
        }
    }
    program_ = must(apply::open_pin(datapath_->folder() + "/progs/pst_xdp"));
    link_ = must(apply::open_pin(datapath_->folder() + "/links/xdp-" + std::to_string(ifindex_)));
}

Edge::~Edge() {
    datapath_.reset();
    (void)apply::Datapath::detach(pin_dir_);
}

void Edge::attach(int program) { check(bpf_link_update(link_.get(), program, nullptr), "change the program of edge0"); }

std::uint32_t Edge::run(Bytes& frame) const {
    xdp_md context = context_of(ifindex_, frame.size());
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(), .data_out = frame.data(), .data_size_in = static_cast<__u32>(frame.size()),
                .data_size_out = static_cast<__u32>(frame.size()), .ctx_in = &context, .ctx_size_in = sizeof context);
    check(bpf_prog_test_run_opts(program_.get(), &options), "run the program");
    return options.retval;
}

std::uint64_t Edge::count(std::string_view verdict) const {
    const auto all = datapath_->verdicts();
    return std::find_if(all.begin(), all.end(), [&](const apply::VerdictCount& one) { return one.name == verdict; })->packets;
}

}  // namespace penstock::bench
