// SPDX-License-Identifier: Apache-2.0
// What the machine says of itself: for GET /v1/status, and for the page that the workers serve as metrics.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "ctl/daemon/kernel_machine.hpp"

namespace penstock::daemon {

namespace {

using nlohmann::json;

const char* name_of(keeper::WorkerState state) {
    switch (state) {
        case keeper::WorkerState::Started: return "standby";
        case keeper::WorkerState::Active: return "active";
        case keeper::WorkerState::Draining: return "draining";
        case keeper::WorkerState::Exited: break;
    }
    return "exited";
}

const char* name_of(apply::XdpMode mode) {
    switch (mode) {
        case apply::XdpMode::native: return "native";
        case apply::XdpMode::generic: return "generic";
        case apply::XdpMode::none: break;
    }
    return "none";
}

const char* name_of(apply::AddressState::Kind kind) {
    switch (kind) {
        case apply::AddressState::Kind::added: return "added";
        case apply::AddressState::Kind::present: return "present";
        case apply::AddressState::Kind::foreign: return "foreign";
        case apply::AddressState::Kind::elsewhere: return "elsewhere";
        case apply::AddressState::Kind::failed: break;
    }
    return "failed";
}

// What people read of a worker: how it came to its state, its ring, its confinement.
std::string detail_of(const apply::WorkerProcess& worker) {
    std::string text = worker.detail;
    if (!worker.ring.empty()) {
        text += (text.empty() ? "" : "; ") + worker.ring + (worker.unconfined.empty() ? ", confined by seccomp" : ", NOT confined");
    }
    return text;
}

}  // namespace

json KernelMachine::processes_json() const {
    json list = json::array({{{"name", "penstock-keeper"}, {"pid", keeper_->keeper_pid()}, {"state", "running"}, {"restarts", 0}, {"detail", ""}}});
    for (const auto& [pid, worker] : keeper_->workers()) {
        list.push_back({{"name", "penstock-worker"}, {"pid", pid}, {"state", name_of(worker.state)}, {"restarts", keeper_->worker_restarts()},
                        {"generation", worker.generation}, {"detail", detail_of(worker)}, {"ring", worker.ring}, {"ring_reason", worker.ring_reason},
                        {"confined", !worker.ring.empty() && worker.unconfined.empty()}});
    }
    return list;
}

json KernelMachine::datapath_json() const {
    json interfaces = json::array();
    apply::Datapath* datapath = edge_->datapath();
    if (datapath != nullptr) {
        for (const apply::Attached& attached : datapath->attached()) {
            interfaces.push_back({{"name", attached.name}, {"index", attached.ifindex}, {"attach", name_of(attached.xdp)}, {"tc", attached.tc}, {"reason", attached.reason}});
        }
    }
    std::string reason = "--datapath=userspace asks for it";
    if (datapath != nullptr) {
        reason = "BPF programs are loaded and attached";
    } else if (options_.datapath != DatapathWish::userspace && edge_->why_no_datapath()) {
        reason = edge_->why_no_datapath()->sentence() + (edge_->why_no_datapath()->hint.empty() ? "" : "; " + edge_->why_no_datapath()->hint);
    }
    return {{"in_use", datapath != nullptr ? "xdp" : "userspace"}, {"reason", reason}, {"interfaces", interfaces},
            {"abi", std::string(apply::abi_hash())}, {"pin_dir", datapath != nullptr ? datapath->folder() : ""},
            {"steps_last", edge_->steps_last()}, {"steps_total", edge_->steps_total()}};
}

json KernelMachine::addresses_json() const {
    json list = json::array();
    for (const apply::AddressState& address : edge_->addresses()) {
        list.push_back({{"address", address.address.text()}, {"interface", address.interface}, {"state", name_of(address.kind)}, {"detail", address.detail}});
    }
    return list;
}

std::uint64_t KernelMachine::steps() const { return edge_->steps_total(); }

void KernelMachine::tell_metrics(const DaemonFigures& figures) {
    DaemonStats* stats = keeper_->daemon_stats();
    if (stats == nullptr) {
        return;
    }
    stats->not_good.store(figures.not_good, std::memory_order_relaxed);
    stats->errors.store(figures.errors, std::memory_order_relaxed);
    stats->reconciles_event.store(figures.reconciles.events, std::memory_order_relaxed);
    stats->reconciles_resync.store(figures.reconciles.resyncs, std::memory_order_relaxed);
    stats->resync_repairs.store(figures.reconciles.repairs, std::memory_order_relaxed);
    stats->addresses_held.store(figures.addresses_held, std::memory_order_relaxed);
    stats->address_takeovers.store(figures.address_takeovers, std::memory_order_relaxed);
    stats->addresses_yielded.store(figures.addresses_yielded, std::memory_order_relaxed);
    stats->nodes_reporting.store(figures.nodes_reporting, std::memory_order_relaxed);
    stats->objects_not_everywhere.store(figures.objects_not_everywhere, std::memory_order_relaxed);
    stats->node_reports_written.store(figures.node_reports_written, std::memory_order_relaxed);
    if (edge_->datapath() != nullptr) {
        const std::vector<apply::VerdictCount> verdicts = edge_->datapath()->verdicts();
        for (std::size_t i = 0; i < std::min<std::size_t>(verdicts.size(), kStatsVerdictsMax); ++i) {
            stats->verdicts[i].store(verdicts[i].packets, std::memory_order_relaxed);
        }
    }
}

MachineFacts KernelMachine::facts() {
    MachineFacts facts;
    facts.processes = processes_json();
    facts.workers = {{"threads", keeper_->slots()}, {"ring", options_.ring}, {"ktls", options_.ktls}};
    facts.datapath = datapath_json();
    facts.addresses = addresses_json();
    apply::Datapath* datapath = edge_->datapath();
    facts.rung_xdp = {{"name", "xdp"}, {"since", "5.15"}, {"what", "L4 in XDP and tc"}, {"works", datapath != nullptr},
                      {"detail", datapath != nullptr ? "" : facts.datapath["reason"].get<std::string>()}};
    facts.verdicts = json::array();
    if (datapath != nullptr) {
        for (const apply::VerdictCount& verdict : datapath->verdicts()) {
            facts.verdicts.push_back({{"name", verdict.name}, {"count", verdict.packets}, {"bytes", verdict.bytes}, {"text", verdict.text}});
        }
    }
    return facts;
}

}  // namespace penstock::daemon
