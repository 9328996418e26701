// SPDX-License-Identifier: Apache-2.0
// The cycle of penstockd. Its sources are in daemon_sources.cpp, what it tells in daemon_tells.cpp, what outlives it in daemon_kept.cpp, its
// answers to the control API in daemon_answers.cpp.
#include "ctl/daemon/daemon.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "userspace/base/log.hpp"

namespace penstock::daemon {

namespace {

using std::chrono::milliseconds;

constexpr auto kResyncAgain = std::chrono::minutes(1);

// Those that the maps hold, and the addresses that clients know.
bool same_map_ids(const compile::Ids& a, const compile::Ids& b) {
    return a.backends == b.backends && a.services == b.services && a.listeners == b.listeners && a.addresses == b.addresses;
}

bool same_ids(const compile::Ids& a, const compile::Ids& b) { return same_map_ids(a, b) && a.rules == b.rules && a.sets == b.sets && a.endpoints == b.endpoints; }

}  // namespace

Daemon::Daemon(Loop& loop, Machine& machine, const StateDir& state, Options options, UnixClock clock)
    : loop_(loop), machine_(machine), state_(state), options_(std::move(options)), clock_(std::move(clock)), rungs_(probe_ladder()), resync_(options_.resync_interval) {}

std::int64_t Daemon::now_ms() const {
    return std::chrono::duration_cast<milliseconds>(Loop::Clock::now().time_since_epoch()).count();
}

Status Daemon::start() {
    restore();
    machine_.listen({.taken = [this](const WorkerTaken& taken) { on_taken(taken); },
                     .changed = [this] { loop_.at("compile", Loop::Clock::now() + kDebounce, [this] { compile_now(); }); },
                     .claimed = [this](const IpAddress& address) {
                         if (addresses_) {
                             addresses_->claimed(address);
                         }
                     },
                     .link_works = [this](const std::set<IpAddress>& addresses) {
                         if (addresses_) {
                             addresses_->link_works(addresses);
                         }
                     },
                     .refused = [this](const IpAddress& address) {
                         if (addresses_) {
                             addresses_->refused(address);
                         }
                     },
                     .lost = [this](const std::string& why) {
                         log::error("the keeper is gone: {}", why);
                         loop_.stop();
                     }});
    if (options_.kubernetes) {
        PST_TRY(open_cluster());
    }
    if (!options_.config.empty()) {
        folder_.emplace(options_.config);
        PST_TRY_ASSIGN(auto watch, source::FolderWatch::open(options_.config));
        watch_ = std::move(watch);
        folder_->refresh();
        PST_TRY(loop_.watch(watch_->fd(), [this] { folder_event(); }));
        look_again_later();
    }
    sources_changed();
    resync_later(resync_.next());
    if (options_.metrics) {
        tell_metrics();
    }
    return success();
}

void Daemon::look_again() {
    log::info("asked to look again");
    machine_.look_again();
    if (folder_) {
        watch_->watch_again();
        folder_->refresh();
    }
    sources_changed();
}

void Daemon::leave() {
    if (addresses_) {
        addresses_->leave([this] { loop_.stop(); });
    } else {
        loop_.stop();
    }
}

void Daemon::stop() {
    board_.close();
    save();
    writer_.finish();
    if (const auto later = log_.later()) {
        log_.due(*later);  // nobody will, later
    }
}

// ---- the cycle ----------------------------------------------------------------------------------------------------------
bool Daemon::differs(const compile::Compiled& next) const {
    return rollout_.wanted() == 0 || compiled_->snapshot.root == nullptr || next.snapshot.root != compiled_->snapshot.root ||
           next.steering != compiled_->steering || next.addresses != compiled_->addresses || next.statuses != compiled_->statuses;
}

// Every node shall have the same: the writer's, which follows what there is when it begins and then nobody.
const compile::AddressBook* Daemon::told_addresses() const {
    const bool begins = compiled_->cache == nullptr;
    return cluster_ && (begins || !cluster_->writes()) ? &cluster_->addresses() : nullptr;
}

std::set<IpAddress> Daemon::addresses_of_others() const { return cluster_ ? cluster_->nodes().agreement().own_of_others() : std::set<IpAddress>(); }

// In a cluster those who make Gateways may not be who owns the link.
compile::Options Daemon::options_now() const {
    compile::Options options = machine_.compile_options();
    options.names_only_own = options_.kubernetes;
    return options;
}

void Daemon::compile_now() {
    loop_.cancel("compile");
    if (cluster_ && !cluster_->ready()) {
        return;  // half a cluster is a wrong one: what ran before goes on
    }
    ++reconciles_.events;
    compile_options_ = options_now();
    auto next = std::make_shared<compile::Compiled>(compile::compile(merged_.store, compile_options_, compiled_.get(), told_addresses(), addresses_of_others()));
    const bool changed = differs(*next);
    adopt(std::move(next), changed);
}

void Daemon::adopt(std::shared_ptr<const compile::Compiled> next, bool changed) {
    const bool new_map_ids = !same_map_ids(next->ids, compiled_->ids);
    ids_to_save_ = ids_to_save_ || !same_ids(next->ids, compiled_->ids);
    const std::shared_ptr<const compile::Compiled> before = std::exchange(compiled_, std::move(next));
    // Before a map is written: a daemon that dies in between must find its numbers again, or it would rewrite what is right. The others
    // only tell counters apart; a change does not wait for the disk because of them.
    if (new_map_ids) {
        save_ids();
    }
    if (changed) {
        root_digest_ = source::digest_of(*compiled_->snapshot.root);
        rollout_.want(root_digest_);
        errors_.restart_backoff();
    } else {
        // The machine may have lost what it had (an address, a link): the plan is a difference, so looking costs nothing.
        rollout_.retry();
    }
    carry_out();  // first what clients wait for
    if (changed) {
        log_.generation(rollout_.wanted(), fmt::format("{} listeners, {} VIPs in the core", root_of(*compiled_)->listeners()->size(), compiled_->steering.vips.size()), Loop::Clock::now());
    }
    want_statuses(before->statuses);
    want_addresses();
    advance();
    save_later();
    trim_later();
}

// Taken as soon as its Lease is ours, while the workers may still be on their way to serve it.
void Daemon::want_addresses() {
    if (!addresses_ || !shares_addresses(options_)) {
        return;
    }
    std::set<IpAddress> wanted;
    for (const compile::ClaimedAddress& claim : compiled_->addresses) {
        if (claim.requested) {
            wanted.insert(claim.address);
        }
    }
    addresses_->here(machine_.networks());
    addresses_->want(std::move(wanted));
}

// ---- resync ---------------------------------------------------------------------------------------------------------------
void Daemon::resync_later(Resync::Duration wait) {
    loop_.at("resync", Loop::Clock::now() + wait, [this] {
        const bool done = resync();
        const Resync::Duration next = resync_.next();
        resync_later(done ? next : std::min<Resync::Duration>(next, kResyncAgain));
    });
}

// Everything anew: sources read, tables made from nothing, the machine compared with them, statuses with what the API server has. False: events
// are on their way, and what they bring is no repair.
bool Daemon::resync() {
    const auto pending = [this](const char* what) { return loop_.pending(what); };
    if ((cluster_ && !cluster_->ready()) || rollout_.step() != Rollout::Step::none || pending("sources") || pending("cluster") || pending("compile")) {
        return false;
    }
    if (folder_) {
        folder_->refresh(watch_->writing(Loop::Clock::now()));
    }
    take_sources();
    machine_.look_again();
    ++reconciles_.resyncs;
    compile_options_ = options_now();
    compile::Compiled numbers;
    numbers.ids = compiled_->ids;
    numbers.pairs = compiled_->pairs;
    auto next = std::make_shared<const compile::Compiled>(compile::compile(merged_.store, compile_options_, &numbers, told_addresses(), addresses_of_others()));
    bool repaired = source::digest_of(*next->snapshot.root) != root_digest_ || next->steering != compiled_->steering || next->addresses != compiled_->addresses;
    compile::Statuses::diff(compiled_->statuses, next->statuses, [&](const auto* old, const auto* now) {
        const auto text = [this](const auto& one) { return compile::to_json(*one->second, compile_options_.controller_name); };
        repaired = repaired || old == nullptr || now == nullptr || text(old) != text(now);
    });
    const std::uint64_t steps = machine_.steps();
    if (repaired) {
        adopt(std::move(next), true);
    } else {
        rollout_.retry();
        advance();
    }
    repaired = repaired || machine_.steps() != steps;
    reconciles_.repairs += repaired ? 1 : 0;
    repaired ? log::warn("resync: repaired what events had not brought about") : log::info("resync: nothing to repair{}", cluster_ ? ", as far as events told" : "");
    if (cluster_) {
        cluster_->look_again();  // what its lists bring is a repair, too
    }
    return true;
}

void Daemon::missed(model::Kind kind) {
    ++reconciles_.repairs;
    log::warn("a list of {} brought what no event had", model::kind_name(kind));
}

void Daemon::want_statuses(const compile::Statuses& before) {
    std::vector<status::Wanted> changed;
    std::vector<std::string> gone;
    compile::Statuses::diff(before, compiled_->statuses, [&](const auto* old, const auto* now) {
        if (now == nullptr) {
            gone.push_back(source::name_of(old->first));
        } else {
            changed.push_back({source::name_of(now->first), now->second->generation,
                               [status = now->second, this] { return compile::to_json(*status, compile_options_.controller_name); }});
        }
    });
    statuses_.want(std::move(changed), gone);
}

void Daemon::advance() {
    if (compiled_->snapshot.root == nullptr) {
        tell();  // what an earlier daemon left goes on until the first compilation says what shall be
        return;
    }
    carry_out();
    if (rollout_.step() != Rollout::Step::wait) {
        loop_.cancel("patience");
    } else if (!loop_.pending("patience")) {  // what else changes meanwhile does not prolong it
        loop_.at("patience", Loop::Clock::now() + kWorkerPatience, [this] {
            if (worker_troubles_.empty()) {
                worker_troubles_.push_back({.what = "wait for the worker",
                                            .error = {.code = Errc::timeout, .what = fmt::format("none has taken generation {} yet", rollout_.wanted()),
                                                      .hint = "the one before is served until one does"},
                                            .failure = {}});
            }
            rollout_.give_up();
            advance();
        });
    }
    tell();
}

// As far as it goes without waiting.
void Daemon::carry_out() {
    while (compiled_->snapshot.root != nullptr && rollout_.step() != Rollout::Step::none && rollout_.step() != Rollout::Step::wait) {
        one_step();
    }
}

void Daemon::one_step() {
    switch (rollout_.step()) {
        case Rollout::Step::prepare:
            prepare_troubles_ = machine_.prepare(*compiled_);
            rollout_.prepared();
            break;
        case Rollout::Step::publish:
            publish_troubles_.clear();
            worker_troubles_.clear();
            if (auto done = machine_.publish(*compiled_, root_digest_, rollout_.wanted()); done.ok()) {
                rollout_.published();
            } else {
                publish_troubles_.push_back({.what = "publish to the worker", .error = std::move(done).error(), .failure = {}});
                rollout_.publish_failed();
            }
            break;
        case Rollout::Step::finish:
            finish_troubles_ = machine_.finish(*compiled_);
            rollout_.finished();
            break;
        case Rollout::Step::wait:
        case Rollout::Step::none: break;
    }
}

void Daemon::on_taken(const WorkerTaken& taken) {
    worker_troubles_.clear();
    if (!taken.refused.empty()) {
        worker_troubles_.push_back({.what = fmt::format("the worker refused generation {}", taken.generation),
                                    .error = {.code = Errc::invalid, .what = taken.refused, .hint = "it serves the one before"}, .failure = {}});
    }
    for (const auto& [part, reason] : taken.failed) {
        worker_troubles_.push_back({.what = fmt::format("part {}", part),
                                    .error = {.code = Errc::invalid, .what = reason, .hint = "its last good version is served"},
                                    .failure = owner_of_part(*compiled_, part, reason)});
    }
    if (taken.refused.empty()) {
        rollout_.taken(taken.generation);
        loop_.cancel("patience");  // they do something: anew, if there is more to wait for
    }
    advance();
}

}  // namespace penstock::daemon
