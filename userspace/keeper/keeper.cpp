// SPDX-License-Identifier: Apache-2.0
#include "userspace/keeper/keeper.hpp"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "schema/keeper.hpp"
#include "userspace/base/log.hpp"
#include "userspace/keeper/messages.hpp"
#include "userspace/keeper/own_items.hpp"

namespace penstock::keeper {

namespace {

constexpr std::int64_t kDaemonPatienceMs = 2000;
constexpr std::uint32_t kSaidMax = 64;  // a worker says Hello, About, and a Taken for what is published

const char* state_name(WorkerState state) { return EnumNameWorkerState(state); }

}  // namespace

Keeper::Keeper(Config config) : config_(std::move(config)) {}

Keeper::~Keeper() {
    for (Worker& worker : workers_) {
        ::kill(worker.process.pid, SIGKILL);
        ::waitpid(worker.process.pid, nullptr, 0);
    }
    if (daemon_) {
        ::kill(daemon_->pid, SIGKILL);
        ::waitpid(daemon_->pid, nullptr, 0);
    }
}

Result<int> Keeper::run() {
    PST_TRY(prepare());
    start_daemon();
    while (!exit_code_) {
        keep_workers();
        poll_once();
    }
    return *exit_code_;
}

Status Keeper::prepare() {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD}) {
        sigaddset(&set, number);
    }
    if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) {
        return sys_error("block signals");
    }
    signals_ = Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals_.valid()) {
        return sys_error("open a signal descriptor");
    }
    // Orphans of the daemon (exec plugins) become our children, as they would be PID 1's.
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    raise_files(kFilesMax);
    if (!config_.hand_over.empty()) {
        PST_TRY(take_over());
    }
    return make_own();
}

// What workers need and is not there yet.
Status Keeper::make_own() {
    if (items_.has(ItemKind::StatsPage, "")) {
        // taken over
    } else if (auto page = make_stats_page(config_.slots); page.ok()) {
        items_.put_one(ItemKind::StatsPage, std::move(page).value());
    } else {
        log::warn("no stats page: {}", page.error().report());
    }
    return config_.access_log.empty() ? success() : open_log();
}

Status Keeper::open_log() {
    PST_TRY_ASSIGN(Fd file, open_access_log(config_.access_log));
    items_.put_one(ItemKind::AccessLog, std::move(file));
    return success();
}

// ---- the loop -----------------------------------------------------------------------------------------------------------
int Keeper::poll_once() {
    std::vector<pollfd> polled = {{signals_.get(), POLLIN, 0}};
    bool timers = stopping_ || heir_ == Heir::waits || (heir_ == Heir::serves && !items_.all().empty()) || (!is_succeeded() && (!daemon_ || find(WorkerState::Started) == nullptr));
    auto watch = [&](const Peer& peer) {
        // A closed channel would be readable for ever; its process is about to end.
        if (peer.fault().empty()) {
            polled.push_back({peer.fd(), static_cast<short>(POLLIN | (peer.waits_to_send() ? POLLOUT : 0)), 0});
            timers |= peer.waits_to_send();  // descriptors stuck in flight give no POLLOUT
        }
    };
    if (daemon_peer_) {
        watch(*daemon_peer_);
    }
    if (hand_over_) {
        polled.push_back({hand_over_->fd(), POLLIN, 0});
    }
    if (successor_) {
        watch(*successor_);
    }
    if (predecessor_) {
        watch(*predecessor_);
    }
    for (const Worker& worker : workers_) {
        watch(worker.peer);
        timers |= worker.state == WorkerState::Draining;
    }
    // Ends of children arrive as SIGCHLD.
    const int ready = ::poll(polled.data(), polled.size(), timers ? 20 : 1000);
    on_signals();
    if (daemon_peer_) {
        on_daemon_message();
    }
    for (auto it = workers_.begin(); it != workers_.end();) {
        auto next = std::next(it);
        on_worker_message(*it);
        if (const Ended ended = reap(it->process); ended.ended) {
            worker_ended(it, ended);
        } else if (it->state == WorkerState::Draining && now_ms() >= it->kill_at_ms) {
            ::kill(it->process.pid, SIGKILL);
        }
        it = next;
    }
    if (daemon_) {
        if (const Ended ended = reap(*daemon_); ended.ended) {
            daemon_ended(ended);
        }
    }
    watch_successor();
    watch_predecessor();
    if (!daemon_ && !stopping_ && !is_succeeded() && !exit_code_ && now_ms() >= daemon_start_ms_) {
        start_daemon();
    }
    if (stopping_ && ((!daemon_ && !waits_for_heir()) || now_ms() >= drain_at_ms_)) {
        drain_workers();
    }
    if (stopping_ && ((workers_.empty() && !daemon_ && (!waits_for_heir() || now_ms() >= drain_at_ms_)) || now_ms() >= stop_by_ms_)) {
        exit_code_ = 0;
    }
    return ready;
}

void Keeper::on_signals() {
    signalfd_siginfo info = {};
    while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
        switch (info.ssi_signo) {
            case SIGHUP:
                reopen_log();
                replace_worker();
                break;
            case SIGUSR1: reopen_log(); break;
            case SIGTERM:
            case SIGINT: stop(); break;
            default: break;  // SIGCHLD: ours are asked one by one
        }
    }
    // What is neither daemon nor worker was an orphan.
    siginfo_t ended = {};
    while (::waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid != 0) {
        const pid_t pid = ended.si_pid;
        const bool ours = (daemon_ && daemon_->pid == pid) ||
                          std::any_of(workers_.begin(), workers_.end(), [&](const Worker& worker) { return worker.process.pid == pid; });
        if (ours) {
            break;
        }
        ::waitpid(pid, nullptr, 0);
        ended = {};
    }
}

void Keeper::stop() {
    if (stopping_) {
        return;
    }
    log::info("stopping: workers drain for at most {} ms", drain_ms());
    stopping_ = true;
    drain_at_ms_ = now_ms() + kDaemonPatienceMs;
    stop_by_ms_ = drain_at_ms_ + drain_ms() + 2000;
    if (hand_over_ && !is_succeeded()) {
        hand_over_->remove();
        hand_over_.reset();
        successor_.reset();
    }
    if (daemon_ && !is_succeeded()) {
        ::kill(daemon_->pid, predecessor_ ? SIGTERM : SIGINT);  // SIGINT: not for a successor, its addresses go to other nodes
    }
    if (!waits_for_heir()) {
        predecessor_.reset();  // it goes on
    }
    heir_at_ms_ = std::min(heir_at_ms_, drain_at_ms_);  // an heir that waits has everything before our workers drain
}

// Workers take connections until the daemon has handed this node's addresses over. Then nobody shall wait in a queue that nobody serves.
void Keeper::drain_workers() {
    if (stopping_ && !waits_for_heir()) {
        items_.drop_all(ItemKind::Socket);
    }
    if (stopping_ && heir_ == Heir::equipped && successor_ && !successor_->waits_to_send()) {
        hand_over_.reset();
        successor_.reset();  // it has all that is held, and shall not wait for its daemon to serve: nobody else will
        if (predecessor_ && !told_predecessor_) {
            send_predecessor_off();
        }
    }
    for (Worker& worker : workers_) {
        if (worker.state == WorkerState::Active) {
            drain(worker);
        } else if (worker.state == WorkerState::Started) {
            ::kill(worker.process.pid, SIGKILL);  // it serves nothing
        }
    }
}

void Keeper::replace_worker() {
    Worker* standby = find(WorkerState::Started);
    Worker* active = find(WorkerState::Active);
    if (standby == nullptr || active == nullptr || ends()) {
        log::warn("cannot replace the worker now: {}", active == nullptr ? "none serves yet" : "no standby is ready");
        return;
    }
    if (!standby->ready && items_.published.generation != 0) {
        replace_when_ready_ = true;  // it is still building what the active one serves
        tell_published(*standby);
        return;
    }
    replace_when_ready_ = false;
    log::info("replacing worker {}", active->process.pid);
    activate(*standby);
    drain(*active);
}

// Those that drain write to it, too.
void Keeper::reopen_log() {
    if (config_.access_log.empty()) {
        return;
    }
    if (const Status opened = open_log(); !opened.ok()) {
        log::error("the old one stays in use: {}", opened.error().report());
        return;
    }
    const Items::Name name{ItemKind::AccessLog, ""};
    for (Worker& worker : workers_) {
        worker.peer.send(encode(put_message(name)), items_.all().at(name));
    }
    log::info("opened {} anew", config_.access_log);
}

// ---- workers ---------------------------------------------------------------------------------------------------------------
Keeper::Worker* Keeper::find(WorkerState state) {
    const auto found = std::find_if(workers_.begin(), workers_.end(), [&](const Worker& worker) { return worker.state == state; });
    return found == workers_.end() ? nullptr : &*found;
}

void Keeper::keep_workers() {
    if (ends()) {
        return;
    }
    keep_active();
    if (find(WorkerState::Started) == nullptr && now_ms() >= worker_start_ms_) {
        start_worker();
        keep_active();
    }
}

void Keeper::keep_active() {
    Worker* standby = find(WorkerState::Started);
    if (standby != nullptr && find(WorkerState::Active) == nullptr && may_serve()) {
        activate(*standby);
    }
}

void Keeper::start_worker() {
    auto started = start(Command{.argv = config_.worker, .user = config_.worker_as, .files_max = kFilesMax});
    worker_backoff_.started(now_ms());
    if (!started.ok()) {
        log::error("{}", started.error().report());
        worker_start_ms_ = worker_backoff_.ended(now_ms());
        return;
    }
    Fd channel = std::move(started->channel);
    workers_.push_back(Worker{.process = std::move(started).value(), .peer = Peer(std::move(channel))});
    Worker& worker = workers_.back();
    equip(worker);
    set_state(worker, WorkerState::Started, "");
}

void Keeper::activate(Worker& worker) {
    tell_published(worker);
    worker.peer.send(encode(ActivateT{}));
    set_state(worker, WorkerState::Active, "");
    if (has_said(worker)) {
        tell_taken(worker);  // so far the daemon heard of it as a standby's
    }
    tell_predecessor();
}

void Keeper::drain(Worker& worker) {
    DrainT message;
    message.deadline_ms = static_cast<std::uint32_t>(drain_ms());
    worker.peer.send(encode(message));
    worker.kill_at_ms = now_ms() + drain_ms() + 1000;
    set_state(worker, WorkerState::Draining, "");
}

void Keeper::set_state(Worker& worker, WorkerState state, const std::string& detail) {
    if (worker.state != state) {
        log::info("worker {} is {}{}{}", worker.process.pid, state_name(state), detail.empty() ? "" : ": ", detail);
    }
    worker.state = state;
    WorkerEventT event;
    event.pid = worker.process.pid;
    event.state = state;
    event.detail = detail;
    event.restarts = worker_restarts_;
    tell_daemon(encode(event));
}

void Keeper::on_worker_message(Worker& worker) {
    worker.peer.flush();
    while (worker.peer.fault().empty()) {
        Peer::Received received = worker.peer.receive();
        if (received.message == nullptr) {
            break;
        }
        if (++worker.said > kSaidMax) {
            log::error("worker {}: says more than it is asked", worker.process.pid);
            ::kill(worker.process.pid, SIGKILL);
            return;
        }
        if (const HelloT* said = received.message->body.AsHello(); said != nullptr && said->version != kProtocolVersion) {
            RefusedT refused;
            refused.reason = "the keeper speaks another version";
            worker.peer.send(encode(refused));
        } else if (AboutT* about = received.message->body.AsAbout()) {
            on_about(worker, std::move(*about));
        } else if (TakenT* taken = received.message->body.AsTaken()) {
            on_taken(worker, std::move(*taken));
        }
    }
    if (!worker.peer.fault().empty() && worker.state != WorkerState::Draining && !ends()) {
        log::error("worker {}: {}", worker.process.pid, worker.peer.fault());
        ::kill(worker.process.pid, SIGKILL);  // of use to nobody any more; one that is ending anyway does not notice
    }
}

void Keeper::on_about(Worker& worker, AboutT about) {
    about.pid = worker.process.pid;
    worker.about = std::move(about);
    tell_daemon(encode(*worker.about));
}

void Keeper::on_taken(Worker& worker, TakenT taken) {
    worker.taken = std::move(taken);
    const TakenT& said = worker.taken;
    worker.ready = said.refused.empty() && said.generation == items_.published.generation;
    if (worker.state == WorkerState::Active && said.generation == items_.published.generation) {
        std::for_each(workers_.begin(), workers_.end(), [this](Worker& other) { tell_published(other); });
    }
    tell_predecessor();
    tell_taken(worker);
    if (replace_when_ready_ && worker.ready && worker.state == WorkerState::Started) {
        replace_worker();
    }
}

void Keeper::tell_taken(const Worker& worker) {
    TakenT told = worker.taken;
    told.pid = worker.process.pid;
    told.standby = worker.state != WorkerState::Active;
    tell_daemon(encode(std::move(told)));
}

void Keeper::worker_ended(WorkerIt worker, const Ended& ended) {
    const bool drained = worker->state == WorkerState::Draining;
    const pid_t pid = worker->process.pid;
    if (!ends() && !drained) {
        log::warn("worker {} ended: {}", pid, ended.text);
        ++worker_restarts_;
        // The standby takes over at once; only what is started anew waits.
        worker_start_ms_ = worker_backoff_.ended(now_ms());
    }
    set_state(*worker, WorkerState::Exited, ended.text);
    workers_.erase(worker);
    keep_workers();
}

}  // namespace penstock::keeper
