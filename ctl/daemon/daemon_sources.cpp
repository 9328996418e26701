// SPDX-License-Identifier: Apache-2.0
// Where the daemon's objects come from: a folder, a cluster, what gwctl loaded; and the one store that they make.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "ctl/compile/dangling.hpp"
#include "ctl/daemon/daemon.hpp"
#include "userspace/base/log.hpp"

namespace penstock::daemon {

namespace {

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
                               .trouble = [this] { tell(); }};
    if (shares_addresses(options_)) {
        AddressLink::Events shares{.share = [this](const AddressShare& share) { machine_.share(share); }, .trouble = [this] { tell(); }};
        PST_TRY_ASSIGN(addresses_, AddressLink::open(loop_, access, node_name(options_), machine_.networks(), std::move(shares)));
    }
    PST_TRY_ASSIGN(cluster_, ClusterLink::open(loop_, std::move(access), compile_options_.controller_name, node_name(options_), std::move(events)));
    return success();
}

void Daemon::folder_event() {
    const auto now = Loop::Clock::now();
    const bool changed = watch_->drain(now);
    if (watch_->writing_until() != source::FolderWatch::Time::max()) {
        loop_.at("writing", watch_->writing_until(), [this] { folder_event(); });
    }
    if (changed) {
        loop_.at("sources", now + kDebounce, [this] {
            if (folder_->refresh(watch_->writing(Loop::Clock::now()))) {
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

source::Merged Daemon::merge(source::Merger& merger, const source::Loaded& loaded, std::vector<source::Given>& given) const {
    given.clear();
    if (cluster_) {
        given.push_back(cluster_->given());
    }
    if (folder_) {
        given.push_back(folder_->given());
    }
    given.push_back(loaded.given());
    std::vector<const source::Given*> sources;
    for (const source::Given& one : given) {
        sources.push_back(&one);
    }
    source::Merged merged = merger.merge(sources, clock_());
    for (std::size_t i = 0; i < given.size(); ++i) {
        given[i].diagnostics.insert(given[i].diagnostics.end(), merged.duplicates[i].begin(), merged.duplicates[i].end());
        // In a cluster a reference may come before its object, and conditions tell.
        for (const model::ObjectPtr& object : given[i].kind == source::kClusterKind ? std::vector<model::ObjectPtr>() : given[i].objects) {
            const auto dangling = compile::dangling(*object, merged.store);
            given[i].diagnostics.insert(given[i].diagnostics.end(), dangling.begin(), dangling.end());
        }
        source::shorten(given[i].diagnostics);
    }
    return merged;
}

void Daemon::sources_changed() {
    merged_ = merge(merger_, loaded_, given_);
    for (const source::Given& one : given_) {
        const auto errors = std::count_if(one.diagnostics.begin(), one.diagnostics.end(), [](const auto& d) { return d.severity == model::Severity::error; });
        log::write(one.kind == source::kClusterKind ? log::Level::debug : log::Level::info, fmt::format("{}: {} objects, {} errors", one.name, one.objects.size(), errors));
        for (const model::Diagnostic& diagnostic : one.diagnostics) {
            diagnostic.severity == model::Severity::error ? log::error("{}: {}", one.name, diagnostic.text()) : log::debug("{}: {}", one.name, diagnostic.text());
        }
    }
    compile_now();
}

}  // namespace penstock::daemon
