// SPDX-License-Identifier: Apache-2.0
#include "ctl/apply/edge.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "ctl/apply/namespace_hold.hpp"
#include "ctl/apply/nat_ports.hpp"
#include "ctl/apply/node_addresses.hpp"
#include "ctl/apply/pins.hpp"
#include "userspace/base/log.hpp"

namespace penstock::apply {

namespace {

bool contains(const std::vector<std::uint32_t>& list, std::uint32_t value) { return std::find(list.begin(), list.end(), value) != list.end(); }

std::unordered_set<IpAddress> addresses_of(const compile::Steering& steering) {
    std::unordered_set<IpAddress> addresses;
    for (const auto& backend : steering.backends) {
        addresses.insert(backend.endpoint.address);
    }
    return addresses;
}

}  // namespace

Edge::Edge(EdgeOptions options, Netlink netlink, NetlinkEvents events)
    : options_(std::move(options)), netlink_(std::move(netlink)), events_(std::move(events)) {}

Result<std::unique_ptr<Edge>> Edge::open(EdgeOptions options) {
    PST_TRY_ASSIGN(Netlink netlink, Netlink::open());
    PST_TRY_ASSIGN(NetlinkEvents events, NetlinkEvents::open());
    std::unique_ptr<Edge> edge(new Edge(std::move(options), std::move(netlink), std::move(events)));
    edge->look();
    if (auto opened = edge->open_datapath(); !opened.ok()) {
        edge->why_ = std::move(opened).error();
    }
    return edge;
}

Status Edge::detach(const std::string& pin_dir) {
    PST_TRY_ASSIGN(const Fd held, hold_addresses());
    PST_TRY(Datapath::detach(pin_dir));
    PST_TRY_ASSIGN(Netlink netlink, Netlink::open());
    PST_TRY_ASSIGN(const auto addresses, netlink.addresses());
    for (const InterfaceAddress& one : addresses) {
        if (one.ours) {
            PST_TRY(netlink.remove_address(one.ifindex, one.address));
        }
    }
    return success();
}

Status Edge::hold() {
    if (!hold_.valid()) {
        PST_TRY_ASSIGN(hold_, hold_addresses());
    }
    return success();
}

Status Edge::open_datapath() {
    if (!options_.bpf) {
        // What an earlier run with BPF left would go on to steer packets by its tables.
        if (!names_in(options_.datapath.pin_dir).empty()) {
            log::info("taking the BPF data path off: it is not wanted any more");
            PST_TRY(Datapath::detach(options_.datapath.pin_dir));
        }
        return Error{.code = Errc::unsupported, .what = "use BPF", .hint = "--datapath=userspace was asked for"};
    }
    PST_TRY_ASSIGN(const PortSpan local, local_port_range());
    PST_TRY(check_nat_ports({options_.datapath.nat_port_min, options_.datapath.nat_port_max}, local));
    PST_TRY_ASSIGN(datapath_, Datapath::open(options_.datapath));
    for (const std::string& folder : datapath_->other_folders()) {
        log::warn("{}/{} holds the data path of another version: its programs go where ours are attached; penstockd --detach removes it",
                  options_.datapath.pin_dir, folder);
    }
    return success();
}

compile::Limits Edge::limits() const {
    compile::Limits limits{.vips_max = options_.datapath.vips_max,
                           .services_max = options_.datapath.services_max,
                           .backends_max = options_.datapath.backends_max};
    if (datapath_ != nullptr) {
        // Maps of an earlier run keep their size.
        const plan::Observed observed = datapath_->observed();
        limits.vips_max = std::min(limits.vips_max, static_cast<std::uint32_t>(observed.vips_max / 2));
        limits.services_max = std::min(limits.services_max, static_cast<std::uint32_t>(observed.services.size() - 1));
        limits.backends_max = std::min(limits.backends_max, static_cast<std::uint32_t>(observed.backends.size() - 1));
    }
    return limits;
}

// ---- what is there ----------------------------------------------------------------------------------------------------

void Edge::look(bool routes) {
    if (auto interfaces = netlink_.interfaces(); interfaces.ok()) {
        interfaces_ = std::move(interfaces).value();
    }
    if (auto addresses = netlink_.addresses(); addresses.ok()) {
        interface_addresses_ = std::move(addresses).value();
    }
    if (routes) {
        if (auto indexes = netlink_.default_route_interfaces(); indexes.ok()) {
            default_route_ = std::move(indexes).value();
        }
    }
    own_addresses_.clear();
    for (const InterfaceAddress& one : interface_addresses_) {
        if (!one.ours && !one.address.is_link_local_v6()) {  // each pod's interface has one of those; no endpoint does
            own_addresses_.push_back(one.address);
        }
    }
    std::sort(own_addresses_.begin(), own_addresses_.end());
    own_addresses_.erase(std::unique(own_addresses_.begin(), own_addresses_.end()), own_addresses_.end());
    node_addresses_ = !options_.addresses.empty() ? options_.addresses
                                                  : apply::node_addresses({interfaces_, interface_addresses_, default_route_, options_.interfaces});
}

bool Edge::is_port(const Interface& interface) const {
    const Interface* master = interface.master == 0 ? nullptr : find_interface(interfaces_, interface.master);
    return master != nullptr && master->kind != "vrf";
}

// Named ones, or the hardware that leads somewhere. A veth is not chosen unless named: frames from a peer on this machine may come with
// unfinished checksums, which XDP cannot see; tc can.
bool Edge::is_uplink(const Interface& interface) const {
    if (!options_.interfaces.empty()) {
        return std::find(options_.interfaces.begin(), options_.interfaces.end(), interface.name) != options_.interfaces.end();
    }
    const bool hardware = interface.kind.empty() || interface.kind == "bond" || interface.kind == "team";
    return hardware && leads_out(interface);
}

bool Edge::leads_out(const Interface& interface) const {
    return contains(default_route_, interface.index) ||
           std::any_of(interface_addresses_.begin(), interface_addresses_.end(), [&](const InterfaceAddress& one) {
               return one.ifindex == interface.index && one.global && !one.ours;
           });
}

void Edge::attach(bool again) {
    std::set<std::uint32_t> exits;
    for (const auto& [address, reach] : reacher_.table()) {
        exits.insert(reach.ifindex);
    }
    std::vector<AttachWish> wishes;
    uplinks_.clear();
    for (const Interface& interface : interfaces_) {
        if (!interface.up || interface.loopback || !interface.ethernet || is_port(interface)) {
            continue;
        }
        const bool uplink = is_uplink(interface);
        const bool pods = interface.kind == "veth" || interface.kind == "bridge";
        if (uplink || pods || exits.contains(interface.index) || leads_out(interface)) {
            wishes.push_back({.interface = interface, .xdp = uplink});
        }
        if (uplink) {
            uplinks_.push_back(interface.index);
        }
    }
    if (again || wishes != wishes_) {
        datapath_->attach(wishes, netlink_);
        wishes_ = std::move(wishes);
    }
    if (uplinks_.empty() && !std::exchange(told_no_uplink_, true)) {
        log::info("XDP is attached to no interface, tc carries the packets: no hardware has a default route or a global address, and none was named");
    }
}

bool Edge::on_events() {
    const NetlinkEvents::Changes changes = events_.drain();
    if (!changes.any()) {
        return false;
    }
    const bool network = changes.links || changes.addresses || changes.routes;
    bool moved = false;
    if (changes.links || changes.addresses || changes.default_route) {
        const auto before = std::tuple(interfaces_, interface_addresses_, default_route_);
        // A link that goes down takes its routes along without a word.
        look(changes.links || changes.default_route);
        moved = before != std::tie(interfaces_, interface_addresses_, default_route_);
    }
    if (datapath_ == nullptr || !prepared_) {
        return moved;
    }
    const bool reached = network ? reacher_.refresh(interfaces_, netlink_) : reacher_.refresh(changes.neighbours, interfaces_, netlink_);
    return moved || reached;
}

bool Edge::tick() {
    answer_askers(hold_);
    if (expires_ || !held_) {
        keep_addresses();
    }
    if (datapath_ == nullptr || !prepared_) {
        return false;
    }
    look_again();
    attach(true);
    reacher_.keep_fresh(netlink_);
    return reacher_.refresh(interfaces_, netlink_);
}

// ---- the phases -------------------------------------------------------------------------------------------------------

std::vector<Problem> Edge::prepare(const compile::Compiled& wanted, std::int64_t now_ms) {
    std::vector<Problem> problems;
    steps_last_ = 0;
    prepared_ = true;
    claims_ = wanted.addresses;
    put_addresses(problems);
    if (datapath_ != nullptr) {
        const std::uint64_t before = datapath_->steps_total();
        reacher_.follow(addresses_of(wanted.steering), interfaces_, netlink_);
        attach(false);
        count(datapath_->steps_total() - before);
        carry_out(wanted, plan::Phase::prepare, now_ms, problems);
        for (const auto& [address, reach] : reacher_.table()) {
            if (reach.exit == plan::Reach::Exit::none) {
                problems.push_back({.what = "reach the backend " + address.text(), .error = {.code = Errc::not_found, .what = reach.why}, .address = {}});
            }
        }
    }
    return problems;
}

std::vector<Problem> Edge::finish(const compile::Compiled& wanted, std::int64_t now_ms) {
    std::vector<Problem> problems;
    if (datapath_ != nullptr) {
        carry_out(wanted, plan::Phase::finish, now_ms, problems);
    }
    drop_addresses(problems);
    return problems;
}

void Edge::carry_out(const compile::Compiled& wanted, plan::Phase phase, std::int64_t now_ms, std::vector<Problem>& problems) {
    const std::uint64_t before = datapath_->steps_total();
    if (settled_ && settled_->steps == before && settled_->steering == wanted.steering && settled_->reach == reacher_.table() && settled_->taken == taken_) {
        return;  // most changes are the worker's alone
    }
    settled_.reset();
    plan::Observed observed = datapath_->observed();
    observed.taken = &taken_;
    const auto desired = plan::desire(wanted.steering, reacher_.table(), observed, state_, now_ms);
    if (!desired.ok()) {
        problems.push_back({.what = "plan the packet core's tables", .error = desired.error(), .address = {}});
        return;
    }
    std::vector<plan::Step> steps = plan::diff(observed, *desired);
    if (steps.empty()) {
        settled_ = Settled{.steering = wanted.steering, .reach = reacher_.table(), .taken = taken_, .steps = before};
        return;
    }
    std::erase_if(steps, [&](const plan::Step& step) { return step.phase != phase; });
    auto done = apply_steps(steps, [&](const plan::Step& step) {
        log::debug("{}", step.text());
        return datapath_->write(step);
    });
    count(datapath_->steps_total() - before);
    if (!done.ok()) {
        problems.push_back({.what = "write the packet core's tables", .error = std::move(done).error(), .address = {}});
    }
}

void Edge::count(std::uint64_t steps) {
    steps_last_ += steps;
    steps_total_ += steps;
}

}  // namespace penstock::apply
