// SPDX-License-Identifier: Apache-2.0
// Where the daemon's objects come from: a folder, a cluster, what gwctl loaded; and the one store that they make.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "ctl/daemon/daemon.hpp"
#include "userspace/base/log.hpp"

namespace penstock::daemon {

namespace {

constexpr auto kForgotten = std::chrono::hours(1);  // a node whose Lease did not change for so long
constexpr auto kQuiet = std::chrono::milliseconds(2000);
constexpr auto kSweep = std::chrono::minutes(10);
constexpr auto kLookAgain = std::chrono::milliseconds(2000);  // at a folder that cannot be watched

// As Kubernetes knows this machine, as far as we are told.
std::string node_name(const Options& options) {
    std::array<char, 256> host = {};
    const bool known = options.node.empty() && ::gethostname(host.data(), host.size() - 1) == 0;
    return known ? std::string(host.data()) : options.node;
}

}  // namespace

Status Daemon::open_cluster() {
    PST_TRY_ASSIGN(kubeapi::Access access, kubeapi::find_access({.kubeconfig = options_.kubeconfig, .context = options_.context}));
    log::info("following {}", access.server);
    ClusterLink::Events events{.content = [this] { loop_.at("cluster", Loop::Clock::now(), [this] { sources_changed(); }); },
                               .trouble = [this] { tell(); },
                               .missed = [this](model::Kind kind) { missed(kind); },
                               .own = [this] { loop_.at("compile", Loop::Clock::now(), [this] { compile_now(); }); }};
    const bool shares = shares_addresses(options_);
    AddressLink::Events of_nodes{.share = [this](const AddressShare& share) {
                                         machine_.share(share);
                                         tell_addresses();
                                     },
                                 .ask = [this](const std::vector<IpAddress>& addresses, const std::vector<IpAddress>& peers) { machine_.ask(addresses, peers); },
                                 .trouble = [this] { tell(); },
                                 .live = [this](const std::set<std::string>& nodes) { cluster_->live(nodes); }};
    PST_TRY_ASSIGN(addresses_, AddressLink::open(loop_, access, node_name(options_), shares ? std::optional(machine_.networks()) : std::nullopt, std::move(of_nodes)));
    PST_TRY_ASSIGN(cluster_, ClusterLink::open(loop_, std::move(access), compile_options_.controller_name, node_name(options_), std::move(events)));
    sweep_leases();
    return success();
}

// One node is enough for that: the writer.
void Daemon::sweep_leases() {
    if (cluster_->writes()) {
        addresses_->sweep(kForgotten);
    }
    loop_.at("sweep", Loop::Clock::now() + kSweep, [this] { sweep_leases(); });
}

void Daemon::folder_event() {
    const auto now = Loop::Clock::now();
    unread_.add(watch_->drain(now));
    if (watch_->writing_until() != source::FolderWatch::Time::max()) {
        loop_.at("writing", watch_->writing_until(), [this] { folder_event(); });
    }
    if (unread_.any()) {
        // One that comes alone is taken at once.
        loop_.at("sources", std::max(now, refreshed_ + kDebounce), [this] {
            refreshed_ = Loop::Clock::now();
            if (folder_->refresh(std::exchange(unread_, {}), watch_->writing(refreshed_))) {
                sources_changed();
            }
        });
    }
    look_again_later();
}

void Daemon::look_again_later() {
    if (watch_->whole()) {
        return;
    }
    loop_.at("look", Loop::Clock::now() + kLookAgain, [this] {
        watch_->watch_again();
        if (folder_->refresh(watch_->writing(Loop::Clock::now()))) {
            sources_changed();
        }
        look_again_later();
    });
}

std::vector<source::Given> Daemon::given_by_all(const source::Loaded& loaded) const {
    std::vector<source::Given> given;
    if (cluster_) {
        given.push_back(cluster_->given());
    }
    if (folder_) {
        given.push_back(folder_->given());
    }
    given.push_back(loaded.given());
    return given;
}

source::Merged Daemon::merge(source::Merger& merger, const std::vector<source::Given>& given) const {
    std::vector<const source::Given*> sources;
    for (const source::Given& one : given) {
        sources.push_back(&one);
    }
    return merger.merge(sources, clock_());
}

void Daemon::add_diagnostics() {
    for (std::size_t i = 0; i < given_.size(); ++i) {
        auto& diagnostics = given_[i].diagnostics;
        diagnostics.insert(diagnostics.end(), merged_.duplicates[i].begin(), merged_.duplicates[i].end());
        for (const auto& [key, told] : dangling_.all()) {
            const model::ObjectPtr* object = given_[i].objects.get(key);
            if (object != nullptr && (*object)->origin.file == told.front().file) {
                diagnostics.insert(diagnostics.end(), told.begin(), told.end());
            }
        }
        source::shorten(diagnostics);
    }
}

void Daemon::take_sources() {
    given_ = given_by_all(loaded_);
    source::Merged merged = merge(merger_, given_);
    // In a cluster a reference may come before its object, and conditions tell.
    dangling_.update(merged_.store, merged.store, [this](const model::ObjectKey& key) { return given_.front().kind != source::kClusterKind || !given_.front().objects.contains(key); });
    merged_ = std::move(merged);
    add_diagnostics();
}

// What reading thousands of objects has left over goes back once it is quiet, as nothing else is done meanwhile.
void Daemon::trim_later() {
    if (trimmer_.due(merged_.store.size())) {
        loop_.at("trim", Loop::Clock::now() + kQuiet, [this] { trimmer_.trim(merged_.store.size()); });
    }
}

void Daemon::sources_changed() {
    take_sources();
    for (const source::Given& one : given_) {
        const auto errors = std::count_if(one.diagnostics.begin(), one.diagnostics.end(), [](const auto& d) { return d.severity == model::Severity::error; });
        // A cluster changes all the time, and its size says nothing; what is wrong is told once.
        const log::Level level = one.kind == source::kClusterKind ? log::Level::debug : log::Level::info;
        log_.source(one.name, level, fmt::format("{} objects, {} errors", one.objects.size(), errors), one.diagnostics);
    }
    compile_now();
}

}  // namespace penstock::daemon
