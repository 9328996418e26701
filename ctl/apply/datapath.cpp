// SPDX-License-Identifier: Apache-2.0
#include "ctl/apply/datapath.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <net/if.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <set>
#include <utility>

#include "bpf/core/pst_config.h"
#include "bpf/pst_edge.skel.h"
#include "ctl/apply/attach.hpp"
#include "ctl/apply/links.hpp"
#include "ctl/apply/maps.hpp"
#include "ctl/apply/pins.hpp"
#include "ctl/apply/programs.hpp"
#include "userspace/base/log.hpp"

namespace penstock::apply {

namespace {

struct Destroy {
    void operator()(pst_edge* object) const { pst_edge__destroy(object); }
};
using Object = std::unique_ptr<pst_edge, Destroy>;

// ---- sizes ------------------------------------------------------------------------------------------------------------

void size_maps(pst_edge& object, const DatapathOptions& options) {
    const auto& maps = object.maps;
    const std::uint32_t lines = std::bit_ceil(std::max(options.flows_max / PST_FLOW_WAYS, 16U));
    const std::uint32_t trials = std::min<std::uint32_t>(PST_TRIALS_MAX, lines);
    // Room for the old and the new VIPs of a change; one more of what is counted from 1.
    const std::uint32_t vips = options.vips_max * 2;
    const std::pair<bpf_map*, std::uint32_t> sizes[] = {
        {maps.pst_vips, vips},
        {maps.pst_services, options.services_max + 1},
        {maps.pst_service_n, options.services_max + 1},
        {maps.pst_backends, options.backends_max + 1},
        {maps.pst_backend_n, options.backends_max + 1},
        {maps.pst_slots, (options.slots_max + PST_SLOTS_PER_LINE - 1) / PST_SLOTS_PER_LINE},
        {maps.pst_flows, lines},
        {maps.pst_returns, lines * 2},
        {maps.pst_trials, trials},
        {maps.pst_trial_index, trials},
        {maps.pst_sources, trials},
    };
    for (const auto& [map, entries] : sizes) {
        bpf_map__set_max_entries(map, entries);
    }
}

pst_config wanted_config(const pst_config& there, const pst_edge& object, const DatapathOptions& options) {
    pst_config config{};
    pst_config_defaults(&config);
    config.abi_version = PST_ABI_VERSION;
    config.flow_mask = bpf_map__max_entries(object.maps.pst_flows) - 1;
    config.return_mask = bpf_map__max_entries(object.maps.pst_returns) - 1;
    config.trial_mask = bpf_map__max_entries(object.maps.pst_trials) - 1;
    config.source_mask = bpf_map__max_entries(object.maps.pst_sources) - 1;
    config.nat_port_min = options.nat_port_min;
    config.nat_port_max = options.nat_port_max;
    // The keys live as long as the maps: new ones would orphan every flow.
    std::memcpy(config.flow_key, there.flow_key, sizeof(config.flow_key));
    std::memcpy(config.steer_key, there.steer_key, sizeof(config.steer_key));
    return config;
}

// ---- loading ----------------------------------------------------------------------------------------------------------

Error explain_load(int sys_errno, const std::string& log) {
    if (sys_errno == EPERM || sys_errno == EACCES) {
        return sys_error_of(sys_errno, "load the BPF programs", "CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN are needed; a container also needs them from its host");
    }
    if (sys_errno == ENOSYS || sys_errno == EINVAL || sys_errno == ENOTSUP) {
        return sys_error_of(sys_errno, "load the BPF programs", "this kernel cannot run them, Linux 5.15 can" + (log.empty() ? "" : ": " + log));
    }
    return sys_error_of(sys_errno, "load the BPF programs", log);
}

Status probe_privilege() {
    LibbpfLog log;
    const Fd map(bpf_map_create(BPF_MAP_TYPE_ARRAY, "pst_probe", 4, 4, 1, nullptr));
    return map.valid() ? success() : Status(explain_load(errno, {}));
}

struct Pin {
    bpf_map* map;
    std::string path;
    bool there = false;
};

std::vector<Pin> pins_of(const pst_edge& object, const std::string& folder) {
    std::vector<Pin> pins;
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, object.obj) {
        const std::string name = bpf_map__name(map);
        if (name.starts_with("pst_")) {
            pins.push_back({map, folder + "/maps/" + name});
        }
    }
    return pins;
}

// Takes a pinned map in place of a new one. Its size stays what it is.
Status reuse(Pin& pin) {
    PST_TRY_ASSIGN(const Fd fd, open_pin(pin.path));
    if (!fd.valid()) {
        return success();
    }
    bpf_map_info info{};
    __u32 size = sizeof(info);
    if (bpf_obj_get_info_by_fd(fd.get(), &info, &size) != 0) {
        return sys_error("look at " + pin.path);
    }
    if (info.type != bpf_map__type(pin.map) || info.key_size != bpf_map__key_size(pin.map) || info.value_size != bpf_map__value_size(pin.map)) {
        return Error{.code = Errc::exists, .what = "use " + pin.path, .hint = "it is not a map of this version: run penstockd --detach once"};
    }
    if (info.max_entries != bpf_map__max_entries(pin.map)) {
        log::warn("{} holds {} entries, {} were asked for: it keeps its size until penstockd --detach", pin.path, info.max_entries,
                  bpf_map__max_entries(pin.map));
    }
    if (const int failed = bpf_map__reuse_fd(pin.map, fd.get()); failed != 0) {
        return sys_error_of(-failed, "use " + pin.path);
    }
    pin.there = true;
    return success();
}

}  // namespace

std::string_view abi_hash() { return PST_ABI_HASH; }

Status apply_steps(std::span<const plan::Step> steps, const Writer& write) {
    for (const plan::Step& step : steps) {
        PST_TRY(write(step));
    }
    return success();
}

struct Datapath::Impl {
    std::string pin_dir;
    std::string folder;
    Fd hold;
    Object object;
    std::optional<Maps> maps;
    Program xdp;
    Program tc;
    std::map<std::uint32_t, Fd> xdp_links;  // by ifindex
    std::set<std::uint32_t> tc_on;
    std::vector<Attached> attached;
    std::uint64_t steps = 0;

    Status load(const DatapathOptions& options);
    Status configure(const DatapathOptions& options);
    void find_attached();
    Status write(const plan::Step& step);
    Attached attach_one(const AttachWish& wish);
    void leave(std::uint32_t ifindex, bool keep_xdp, bool keep_tc);
    [[nodiscard]] std::string xdp_pin(std::uint32_t ifindex) const { return folder + "/links/xdp-" + std::to_string(ifindex); }
};

Status Datapath::Impl::load(const DatapathOptions& options) {
    PST_TRY(make_pin_folder(folder + "/maps"));
    PST_TRY(make_pin_folder(folder + "/links"));
    PST_TRY(make_pin_folder(folder + "/progs"));
    PST_TRY(probe_privilege());
    PST_TRY_ASSIGN(hold, hold_folder(pin_dir));
    const LibbpfLog log;
    object.reset(pst_edge__open());
    if (object == nullptr) {
        return sys_error("read the BPF object", log.last());
    }
    size_maps(*object, options);
    std::vector<Pin> pins = pins_of(*object, folder);
    for (Pin& pin : pins) {
        PST_TRY(reuse(pin));
    }
    if (const int failed = pst_edge__load(object.get()); failed != 0) {
        return explain_load(-failed, log.last());
    }
    for (const Pin& pin : pins) {
        if (!pin.there && bpf_obj_pin(bpf_map__fd(pin.map), pin.path.c_str()) != 0) {
            return sys_error("pin " + pin.path);
        }
    }
    PST_TRY_ASSIGN(xdp, settle_program(object->progs.pst_xdp, folder + "/progs/pst_xdp"));
    PST_TRY_ASSIGN(tc, settle_program(object->progs.pst_tc, folder + "/progs/pst_tc"));
    PST_TRY_ASSIGN(maps, Maps::open(*object));
    return success();
}

// The configuration is what makes the programs begin, so it is the last thing written.
Status Datapath::Impl::configure(const DatapathOptions& options) {
    const pst_config there = maps->config();
    pst_config wanted = wanted_config(there, *object, options);
    if (there.abi_version == 0) {
        if (getrandom(wanted.flow_key, sizeof(wanted.flow_key), 0) != sizeof(wanted.flow_key) ||
            getrandom(wanted.steer_key, sizeof(wanted.steer_key), 0) != sizeof(wanted.steer_key)) {
            return sys_error("make the data path's keys");
        }
    }
    if (std::memcmp(&there, &wanted, sizeof(there)) == 0) {
        return success();
    }
    return write({plan::Phase::prepare, plan::PutConfig{wanted}});
}

Status Datapath::Impl::write(const plan::Step& step) {
    PST_TRY(maps->write(step));
    ++steps;
    return success();
}

// What an earlier daemon left: interfaces that are not wished any more are left by attach().
void Datapath::Impl::find_attached() {
    for (const std::string& name : names_in(folder + "/links")) {
        if (name.starts_with("xdp-")) {
            const auto ifindex = static_cast<std::uint32_t>(std::strtoul(name.c_str() + 4, nullptr, 10));
            if (auto link = open_pin(folder + "/links/" + name); link.ok() && link->valid()) {
                xdp_links.emplace(ifindex, std::move(link).value());
            }
        }
    }
    for (const auto& [ifindex, number] : maps->link_of()) {
        tc_on.insert(ifindex);
    }
}

Attached Datapath::Impl::attach_one(const AttachWish& wish) {
    Attached out{.ifindex = wish.interface.index, .name = wish.interface.name};
    const auto add_reason = [&](const Error& error) { out.reason += (out.reason.empty() ? "" : "; ") + error.message() + (error.hint.empty() ? "" : ": " + error.hint); };
    if (auto done = attach_tc(tc, out.ifindex); done.ok()) {
        out.tc = true;
        tc_on.insert(out.ifindex);
    } else {
        add_reason(done.error());
    }
    if (!wish.xdp) {
        return out;
    }
    if (auto made = attach_xdp(xdp, out.ifindex, xdp_pin(out.ifindex)); made.ok()) {
        out.xdp = made->native ? XdpMode::native : XdpMode::generic;
        out.reason += made->why_generic;
        xdp_links[out.ifindex] = std::move(made->link);
    } else {
        add_reason(made.error());
    }
    return out;
}

void Datapath::Impl::leave(std::uint32_t ifindex, bool keep_xdp, bool keep_tc) {
    if (const auto link = xdp_links.find(ifindex); !keep_xdp && link != xdp_links.end()) {
        // Closing the last descriptor would do, but some time later.
        bpf_link_detach(link->second.get());
        unlink(xdp_pin(ifindex).c_str());
        xdp_links.erase(link);
    }
    if (!keep_tc && tc_on.erase(ifindex) != 0) {
        char name[IF_NAMESIZE];
        if (if_indextoname(ifindex, name) != nullptr) {
            if (const auto done = detach_tc(ifindex); !done.ok()) {
                log::warn("{}: {}", name, done.error().message());
            }
        }
    }
}

Datapath::Datapath(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Datapath::~Datapath() = default;

Result<std::unique_ptr<Datapath>> Datapath::open(const DatapathOptions& options) {
    auto impl = std::make_unique<Impl>();
    impl->pin_dir = options.pin_dir;
    impl->folder = options.pin_dir + "/" + std::string(abi_hash());
    PST_TRY(impl->load(options));
    impl->find_attached();
    PST_TRY(impl->configure(options));
    return std::unique_ptr<Datapath>(new Datapath(std::move(impl)));
}

plan::Observed Datapath::observed() const { return impl_->maps->observed(); }
Status Datapath::write(const plan::Step& step) { return impl_->write(step); }
std::uint64_t Datapath::steps_total() const { return impl_->steps; }
const std::vector<Attached>& Datapath::attached() const { return impl_->attached; }
const std::string& Datapath::folder() const { return impl_->folder; }

void Datapath::attach(const std::vector<AttachWish>& wishes, Netlink& netlink) {
    std::map<std::uint32_t, bool> wanted;  // ifindex -> with XDP
    for (const AttachWish& wish : wishes) {
        wanted[wish.interface.index] = wish.xdp;
    }
    std::set<std::uint32_t> had(impl_->tc_on);
    for (const auto& [ifindex, link] : impl_->xdp_links) {
        had.insert(ifindex);
    }
    for (const std::uint32_t ifindex : had) {
        const auto found = wanted.find(ifindex);
        impl_->leave(ifindex, found != wanted.end() && found->second, found != wanted.end());
    }
    std::vector<Attached> attached;
    std::vector<LinkWish> links;
    for (const AttachWish& wish : wishes) {
        attached.push_back(impl_->attach_one(wish));
    }
    // Only now: a veth transmits once its peer has a program.
    for (std::size_t i = 0; i < wishes.size(); ++i) {
        Attached& one = attached[i];
        one.xdp_transmits = netlink.xdp_features(one.ifindex).value_or(XdpFeatures{}).xmit;
        if (one.tc || one.xdp != XdpMode::none) {
            links.push_back({one.ifindex, wishes[i].interface.mac, one.xdp_transmits});
        }
    }
    impl_->attached = std::move(attached);
    for (const plan::Step& step : plan_links(impl_->maps->links(), impl_->maps->link_of(), links)) {
        if (const auto done = impl_->write(step); !done.ok()) {
            log::error("{}", done.error().report());
            return;
        }
    }
}

std::vector<VerdictCount> Datapath::verdicts() const {
    struct Name {
        const char* name;
        const char* text;
    };
    static constexpr Name kNames[] = {
#define PST_X(name, class_, text) {#name, text},
        PST_VERDICTS(PST_X)
#undef PST_X
    };
    std::vector<VerdictCount> out;
    for (std::uint32_t verdict = 0; verdict < PST_VERDICT_COUNT; ++verdict) {
        const pst_verdict_count sum = impl_->maps->verdict(verdict);
        out.push_back({kNames[verdict].name, kNames[verdict].text, sum.packets, sum.bytes});
    }
    return out;
}

pst_backend_count Datapath::backend_count(std::uint32_t id) const { return impl_->maps->backend(id); }
pst_service_count Datapath::service_count(std::uint16_t id) const { return impl_->maps->service(id); }

std::vector<std::string> Datapath::other_folders() const {
    std::vector<std::string> names = names_in(impl_->pin_dir);
    std::erase(names, std::string(abi_hash()));
    return names;
}

// The tc filters have no pin; they are found by asking every interface. A filter of the same place but of another's program stays.
Status Datapath::detach(const std::string& pin_dir) {
    Fd hold;
    if (!names_in(pin_dir).empty()) {
        PST_TRY_ASSIGN(hold, hold_folder(pin_dir));
    }
    std::set<std::uint32_t> programs;
    for (const std::string& name : names_in(pin_dir)) {
        if (auto program = open_pin(pin_dir + "/" + name + "/progs/pst_tc"); program.ok() && program->valid()) {
            PST_TRY_ASSIGN(const ProgramFacts facts, facts_of(program->get()));
            programs.insert(facts.id);
        }
        const std::string links = pin_dir + "/" + name + "/links/";
        for (const std::string& pin : names_in(links)) {
            if (auto link = open_pin(links + pin); link.ok() && link->valid()) {
                bpf_link_detach(link->get());
            }
        }
    }
    PST_TRY_ASSIGN(Netlink netlink, Netlink::open());
    PST_TRY_ASSIGN(const auto interfaces, netlink.interfaces());
    for (const Interface& interface : interfaces) {
        if (programs.contains(tc_program(interface.index))) {
            PST_TRY(detach_tc(interface.index));
        }
    }
    return remove_pins(pin_dir);
}

}  // namespace penstock::apply
