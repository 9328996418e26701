// SPDX-License-Identifier: Apache-2.0
// What the daemon tells of where it is: statuses and errors, the log, the other nodes of its cluster, the workers' metrics.
#include <fmt/format.h>

#include <utility>

#include "ctl/daemon/daemon.hpp"
#include "ctl/daemon/shared_addresses.hpp"
#include "userspace/base/log.hpp"

namespace penstock::daemon {

namespace {

using std::chrono::milliseconds;

constexpr auto kMetricsPause = milliseconds(1000);

}  // namespace

std::vector<Trouble> Daemon::all_troubles() const {
    std::vector<Trouble> all;
    for (const auto* some : {&prepare_troubles_, &publish_troubles_, &finish_troubles_, &worker_troubles_}) {
        all.insert(all.end(), some->begin(), some->end());
    }
    for (const auto& [name, error] : unkept_) {
        all.push_back({.what = fmt::format("keep {}", name), .error = error, .failure = {}});
    }
    if (cluster_) {
        const std::vector<Trouble> some = cluster_->troubles();
        all.insert(all.end(), some.begin(), some.end());
    }
    if (addresses_) {
        const std::vector<Trouble> some = addresses_->troubles();
        all.insert(all.end(), some.begin(), some.end());
    }
    const std::vector<Trouble> standing = machine_.standing_troubles();
    all.insert(all.end(), standing.begin(), standing.end());
    return all;
}

// Brings statuses, errors and the board up to date with where the rollout is.
void Daemon::tell() {
    const std::vector<Trouble> troubles = all_troubles();
    std::vector<status::Failure> failures;
    for (const Trouble& trouble : troubles) {
        if (trouble.failure) {
            failures.push_back(*trouble.failure);
        }
    }
    if (rollout_.step() == Rollout::Step::none || !troubles.empty()) {
        const ErrorBook::News news = errors_.set(troubles, rollout_.wanted(), now_ms(), clock_());
        for (const std::string& text : news.begun) {
            log::warn("{}", text);
        }
        for (const std::string& text : news.solved) {
            log::info("solved: {}", text);
        }
    }
    tell_addresses();
    tell_taken(failures);
    tell_statuses(failures);
    if (const Generation before = board_.get(); before.taken != rollout_.generation().taken) {
        log_.served(rollout_.generation().taken, Loop::Clock::now());
    }
    if (const auto later = log_.later()) {
        loop_.at("log", *later, [this] { log_.due(Loop::Clock::now()); });
    }
    board_.set(rollout_.generation());
    // While the rollout waits for the workers, a retry has nothing to do; its time may have passed, and an armed timer would spin.
    if (const auto retry = errors_.retry_at(); retry && rollout_.step() == Rollout::Step::none) {
        loop_.at("retry", Loop::Time(milliseconds(*retry)), [this] {
            rollout_.retry();
            if (!unkept_.empty()) {
                save();
            }
            advance();
        });
    } else {
        loop_.cancel("retry");
    }
}

// Until the first compilation nobody knows which of those that an earlier daemon kept are wanted still.
void Daemon::tell_statuses(const std::vector<status::Failure>& failures) {
    if (compiled_->snapshot.root == nullptr) {
        return;
    }
    const bool changed = statuses_.update(rollout_.phase(), failures, clock_());
    if (changed) {
        save_later();
    }
    // What was kept may hold as it is. But while the machine follows this daemon's first compilation, statuses are those of an earlier one, which
    // others may have written past. That is waited for as long as for a worker, however often something changes meanwhile.
    const auto now = Loop::Clock::now();
    keeps_to_itself_until_ = keeps_to_itself_until_.value_or(now + kWorkerPatience);
    const bool follows = rollout_.phase() == status::Phase::waiting && now < *keeps_to_itself_until_;
    const bool tell = cluster_ != nullptr && (cluster_->is_told() ? changed : !follows);
    if (tell) {
        cluster_->publish(statuses_.published());
    }
}

void Daemon::tell_addresses() {
    if (cluster_) {
        cluster_->has(machine_.here(), compile_options_.node_addresses);
    }
}

// The other nodes of the cluster wait for what this one has taken.
void Daemon::tell_taken(const std::vector<status::Failure>& failures) {
    if (!cluster_ || rollout_.phase() != status::Phase::taken || (told_taken_ == compiled_ && told_failures_ == failures)) {
        return;
    }
    told_taken_ = compiled_;
    told_failures_ = failures;
    std::map<std::string, status::TakenObject> taken;
    for (auto it = compiled_->statuses.lower_bound(model::ObjectKey{model::Kind::gateway, "", ""}); it != compiled_->statuses.end() && it->first.kind <= model::Kind::listener_set; ++it) {
        if (const model::ObjectPtr object = merged_.store.get(it->first)) {
            auto shared = shares_addresses(options_) ? shared_addresses(*compiled_, *object) : std::vector<IpAddress>();
            taken.insert_or_assign(source::name_of(it->first), status::TakenObject{.uid = object->meta.uid, .generation = it->second->generation, .refusals = {}, .shared = std::move(shared)});
        }
    }
    for (const status::Failure& failure : failures) {
        if (const auto of = taken.find(failure.object); of != taken.end()) {
            of->second.refusals.push_back({failure.kind, failure.listener, failure.message});
        }
    }
    cluster_->took(std::move(taken));
}

// The worker shows strangers what the daemon knows, so that they never talk to the daemon.
void Daemon::tell_metrics() {
    DaemonFigures figures{.not_good = statuses_.not_good(), .errors = errors_.unsolved(), .reconciles = reconciles_};
    if (addresses_) {
        figures.addresses_held = addresses_->held();
        figures.address_takeovers = addresses_->taken();
        figures.addresses_yielded = addresses_->yielded();
    }
    if (cluster_) {
        figures.nodes_reporting = cluster_->nodes().agreement().reporting();
        figures.objects_not_everywhere = cluster_->nodes().agreement().open().size();
        figures.node_reports_written = cluster_->nodes().written();
    }
    machine_.tell_metrics(figures);
    loop_.at("metrics", Loop::Clock::now() + kMetricsPause, [this] { tell_metrics(); });
}

}  // namespace penstock::daemon
