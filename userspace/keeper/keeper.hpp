// SPDX-License-Identifier: Apache-2.0
// The process that outlives the others: it starts the daemon, one active worker and one standby, keeps what the daemon gives it, and
// hands it to whoever takes over. PID 1 of a pod, so it also reaps orphans. It parses nothing but keeper.fbs.
// Invariants: at most one worker is active (a replaced one drains beside it); the standby has everything that the active one has; what
// a worker does never ends the keeper. The next keeper on this machine may take over what it holds (hand_over.hpp).
#pragma once

#include <list>
#include <optional>
#include <string>
#include <vector>

#include "userspace/base/result.hpp"
#include "userspace/keeper/backoff.hpp"
#include "userspace/keeper/hand_over.hpp"
#include "userspace/keeper/items.hpp"
#include "userspace/keeper/peer.hpp"
#include "userspace/keeper/process.hpp"

namespace penstock::keeper {

struct Config {
    std::vector<std::string> daemon;   // argv; [0] is a path
    std::vector<std::string> worker;   // argv; [0] is a path
    std::optional<User> worker_as;     // nothing: workers run as we do
    std::uint32_t slots = 1;
    std::int64_t drain_ms = 30'000;
    std::string access_log;            // file to append to; empty: the workers' standard output
    std::string hand_over;             // Unix socket at which the keeper before is asked, and the next one asks; empty: none
};

class Keeper {
public:
    explicit Keeper(Config config);
    ~Keeper();

    // Runs until SIGTERM or SIGINT has been served, or the daemon cannot start. Gives the exit code.
    Result<int> run();

private:
    struct Worker {
        Process process;
        Peer peer;
        WorkerState state = WorkerState::Started;  // Started: the standby
        std::int64_t kill_at_ms = 0;               // draining: when patience ends
        bool ready = false;                        // it has taken the published root
        TakenT taken;                              // the newest that it said
        bool told = false;                         // it was sent the Publish of the published root
        std::vector<std::pair<Items::Name, Descriptors>> later;  // what it is given with the next Publish, or before
        std::uint32_t said = 0;                    // messages since the last Publish: what it says is passed on, and must not drown the daemon
        std::optional<AboutT> about;               // once it has said it
    };
    using WorkerIt = std::list<Worker>::iterator;

    Status prepare();
    Status make_own();
    Status open_log();
    int poll_once();

    // ---- signals
    void on_signals();
    void stop();
    void drain_workers();
    void replace_worker();
    void reopen_log();

    // ---- the daemon (keeper_daemon.cpp)
    void start_daemon();
    void on_daemon_message();
    void daemon_ended(const Ended& ended);
    void greet_daemon();
    void take(Peer::Received received);
    bool tell_daemon(std::vector<std::uint8_t> bytes, Descriptors descriptors = nullptr);

    // ---- the keepers before and after (keeper_hand_over.cpp)
    Status take_over();
    // While another serves, not before our daemon's start is over: should it fail, we end, and so would the connections that our worker had taken.
    [[nodiscard]] bool may_serve() const { return !predecessor_ || told_predecessor_ || daemon_ready_; }
    void watch_predecessor();
    void tell_predecessor();
    void send_predecessor_off();
    void pass_on();
    void watch_successor();
    void equip_successor();
    void on_successor_message();
    void retire();
    void go_on();
    [[nodiscard]] bool is_succeeded() const { return heir_ != Heir::none; }
    [[nodiscard]] bool waits_for_heir() const { return heir_ == Heir::waits || heir_ == Heir::equipped; }
    // Whoever ends now is meant to.
    [[nodiscard]] bool ends() const { return stopping_ || heir_ == Heir::serves; }

    // ---- workers
    void keep_workers();
    void keep_active();
    void start_worker();
    void activate(Worker& worker);
    void drain(Worker& worker);
    [[nodiscard]] std::int64_t drain_ms() const { return items_.published.drain_ms != 0 ? items_.published.drain_ms : config_.drain_ms; }
    void on_worker_message(Worker& worker);
    void on_about(Worker& worker, AboutT about);
    void on_taken(Worker& worker, TakenT taken);
    void tell_taken(const Worker& worker);
    [[nodiscard]] bool has_said(const Worker& worker) const { return items_.published.generation != 0 && worker.taken.generation == items_.published.generation; }
    void worker_ended(WorkerIt worker, const Ended& ended);
    void set_state(Worker& worker, WorkerState state, const std::string& detail);
    Worker* find(WorkerState state);

    // ---- what workers are told (keeper_workers.cpp)
    void equip(Worker& worker);
    void publish();
    void tell_published(Worker& worker);
    void to_workers(const std::vector<std::uint8_t>& bytes, const Descriptors& descriptors = nullptr);
    void ingredient_to_workers(const Items::Name& name, const Descriptors& descriptors);
    void catch_up(Worker& worker);
    void keep_ingredient(const PutT& put, Fd fd);

    Config config_;
    Items items_;
    Fd signals_;

    std::optional<Process> daemon_;
    std::optional<Peer> daemon_peer_;
    bool daemon_greeted_ = false;
    bool daemon_ready_ = false;
    bool replace_when_ready_ = false;  // the worker, as soon as the standby has what is published
    bool daemon_was_greeted_ = false;  // ever: from then on it is started again whatever it exits with
    Backoff daemon_backoff_;
    std::int64_t daemon_start_ms_ = 0;
    std::uint32_t daemon_restarts_ = 0;

    std::list<Worker> workers_;
    Backoff worker_backoff_;
    std::int64_t worker_start_ms_ = 0;
    std::uint32_t worker_restarts_ = 0;

    std::optional<HandOverSocket> hand_over_;
    std::optional<Peer> predecessor_;  // while it lives
    bool told_predecessor_ = false;    // that we serve
    bool passed_on_ = false;           // and that our successor holds everything
    std::optional<Peer> successor_;    // while it lives
    std::int64_t hello_by_ms_ = 0;     // it has said none
    enum class Heir { none, waits, equipped, serves } heir_ = Heir::none;  // waits: for our daemon's end
    bool heir_passed_on_ = false;      // it has said that of its own
    std::int64_t heir_at_ms_ = 0;      // it waits: when our daemon's time is over; it serves: when what is held is let go

    bool stopping_ = false;
    std::int64_t drain_at_ms_ = 0;  // if the daemon is still there
    std::int64_t stop_by_ms_ = 0;
    std::optional<int> exit_code_;
};

}  // namespace penstock::keeper
