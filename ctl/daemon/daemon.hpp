// SPDX-License-Identifier: Apache-2.0
// penstockd without its machine: sources -> store -> compile -> rollout -> status, driven by one loop, asked by the control API.
// Effects and clocks are parameters. Nothing here ends because an object, a file or a step is bad: that is told, and the rest goes on.
// Everything but the ApiBackend part runs on the loop's thread; the API's threads post their questions to it.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ctl/compile/compile.hpp"
#include "ctl/daemon/address_link.hpp"
#include "ctl/daemon/api.hpp"
#include "ctl/daemon/change_log.hpp"
#include "ctl/daemon/cluster_link.hpp"
#include "ctl/daemon/dangling_book.hpp"
#include "ctl/daemon/error_book.hpp"
#include "ctl/daemon/ladder.hpp"
#include "ctl/daemon/loop.hpp"
#include "ctl/daemon/machine.hpp"
#include "ctl/daemon/options.hpp"
#include "ctl/daemon/resync.hpp"
#include "ctl/daemon/rollout.hpp"
#include "ctl/daemon/state_dir.hpp"
#include "ctl/daemon/state_writer.hpp"
#include "ctl/source/folder.hpp"
#include "ctl/source/folder_watch.hpp"
#include "ctl/source/loaded.hpp"
#include "ctl/source/merge.hpp"
#include "ctl/status/book.hpp"
#include "userspace/base/trimmer.hpp"

namespace penstock::daemon {

using UnixClock = std::function<std::int64_t()>;  // seconds

class Daemon : public ApiBackend {
public:
    // All references outlive the daemon.
    Daemon(Loop& loop, Machine& machine, const StateDir& state, Options options, UnixClock clock);

    // Reads what is kept, reads the sources and begins the first rollout. Damage to kept state is logged and done without.
    Status start();
    // SIGHUP: looks at the folder and the machine again, as if both had changed.
    void look_again();
    // This node's service ends: its addresses are handed over, then the loop stops.
    void leave();
    // Writes what has to outlive us. The data path stays as it is.
    void stop();

    // ---- ApiBackend, from any thread
    nlohmann::json version() override;
    const Board& board() override { return board_; }
    Result<nlohmann::json> status() override;
    Result<nlohmann::json> objects(const ObjectFilter& filter) override;
    Result<std::string> tables() override;
    Result<nlohmann::json> counters() override;
    Result<nlohmann::json> snapshot() override;
    Result<ApiChanged> change(const ApiChange& change) override;
    Result<nlohmann::json> not_good() override;
    Result<nlohmann::json> unsolved() override;

private:
    static constexpr std::chrono::milliseconds kDebounce{1};  // writers make several events of one change

    struct View;  // what a question about objects needs, taken on the loop's thread

    // ---- kept state
    void restore();
    void save_ids();
    void save_later();
    void save();
    void saved(StateWriter::Done done, Loop::Clock::duration took);
    void noted(const StateWriter::Done& done);
    void trim_later();

    // ---- the cycle
    [[nodiscard]] compile::Options options_now() const;
    Status open_cluster();
    void folder_event();
    void look_again_later();
    void take_sources();
    void sources_changed();
    [[nodiscard]] std::vector<source::Given> given_by_all(const source::Loaded& loaded) const;
    source::Merged merge(source::Merger& merger, const std::vector<source::Given>& given) const;
    void add_diagnostics();
    void compile_now();
    void missed(model::Kind kind);
    [[nodiscard]] const compile::AddressBook* told_addresses() const;
    [[nodiscard]] std::set<IpAddress> addresses_of_others() const;
    void adopt(std::shared_ptr<const compile::Compiled> next, bool changed);
    bool resync();
    void resync_later(Resync::Duration wait);
    [[nodiscard]] bool differs(const compile::Compiled& next) const;
    void want_addresses();
    void sweep_leases();
    void want_statuses(const compile::Statuses& before);
    void advance();
    void carry_out();
    void one_step();
    void tell();
    void tell_taken(const std::vector<status::Failure>& failures);
    void tell_statuses(const std::vector<status::Failure>& failures);
    void tell_addresses();
    void tell_metrics();
    void on_taken(const WorkerTaken& taken);
    [[nodiscard]] std::vector<Trouble> all_troubles() const;

    // ---- answers, on the loop's thread
    [[nodiscard]] nlohmann::json status_now();
    [[nodiscard]] nlohmann::json sources_json() const;
    [[nodiscard]] nlohmann::json addresses_json(nlohmann::json rows) const;
    [[nodiscard]] nlohmann::json listeners_json() const;
    [[nodiscard]] View view() const;
    [[nodiscard]] Result<ApiChanged> change_now(const ApiChange& change);
    [[nodiscard]] Status apply_change(const ApiChange& change, source::Loaded& next, source::LoadResult& result) const;
    [[nodiscard]] nlohmann::json not_good_of(const compile::Compiled& compiled) const;
    template <class T>
    Result<T> on_loop(std::function<Result<T>()> question);

    [[nodiscard]] std::int64_t now_ms() const;

    Loop& loop_;
    Machine& machine_;
    const StateDir& state_;
    Options options_;
    UnixClock clock_;
    Loop::Time started_ = Loop::Clock::now();
    std::vector<Rung> rungs_;

    std::unique_ptr<ClusterLink> cluster_;
    std::unique_ptr<AddressLink> addresses_;  // of a cluster's node; it shares none if --announce is off
    std::optional<source::Folder> folder_;
    std::optional<source::FolderWatch> watch_;
    source::FolderChange unread_;
    Loop::Time refreshed_{};  // when the folder was read because of an event
    source::Loaded loaded_;
    source::Merger merger_{source::IdentityBook()};
    source::Merged merged_;
    std::vector<source::Given> given_;  // as of merged_: cluster and folder (if any), loaded; diagnostics include duplicates and what dangles
    DanglingBook dangling_;             // of merged_
    compile::Options compile_options_;
    std::shared_ptr<const compile::Compiled> compiled_;
    std::string root_digest_;
    Resync resync_;
    Reconciles reconciles_;
    bool ids_to_save_ = false;
    Trimmer trimmer_;  // by the number of objects
    Loop::Clock::duration save_took_{};

    Rollout rollout_;
    Board board_;
    status::Book statuses_;
    static constexpr std::chrono::milliseconds kWorkerPatience{2000};
    std::optional<Loop::Time> keeps_to_itself_until_;  // at the latest; from the first compilation on
    std::shared_ptr<const compile::Compiled> told_taken_;  // what the other nodes were told of, with these failures
    std::vector<status::Failure> told_failures_;
    ErrorBook errors_;
    std::vector<Trouble> prepare_troubles_;
    std::vector<Trouble> publish_troubles_;
    std::vector<Trouble> finish_troubles_;
    std::vector<Trouble> worker_troubles_;
    std::map<std::string, Error> unkept_;  // state files that could not be written, by name
    ChangeLog log_{log::write};
    StateWriter writer_{state_, [this](StateWriter::Done done, Loop::Clock::duration took) { saved(std::move(done), took); }};  // last: its thread uses this
};

// {"severity", "source", "file", ...}: a diagnostic as the control API has it.
nlohmann::json to_json(const model::Diagnostic& diagnostic, const std::string& source);

}  // namespace penstock::daemon
