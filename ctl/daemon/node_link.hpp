// SPDX-License-Identifier: Apache-2.0
// The nodes of a cluster tell each other what they have taken: this one writes its PenstockNode and hears those of the others, and
// status::Agreement between them decides what the writer of statuses may say. Written at most once in kPause, and only what differs from what
// the API server has. Without the CRD nobody is waited for; it is looked for again and again.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ctl/daemon/error_book.hpp"
#include "ctl/daemon/loop.hpp"
#include "ctl/kubeapi/client.hpp"
#include "ctl/kubeapi/collection_watch.hpp"
#include "ctl/kubeapi/pace.hpp"
#include "ctl/status/agreement.hpp"

namespace penstock::daemon {

class NodeLink {
public:
    static constexpr std::chrono::milliseconds kPause{250};

    struct Events {
        std::function<void(const status::Agreement::Objects&)> changed;  // say() of these may be another
        std::function<void()> trouble;                                   // troubles() may be others
        std::function<void()> own = [] {};                               // agreement().own_of_others() is another
    };
    NodeLink(Loop& loop, std::string node, Events events);
    NodeLink(const NodeLink&) = delete;
    NodeLink& operator=(const NodeLink&) = delete;

    // Begins to talk. The client ends before this.
    void start(kubeapi::Client& client);
    // What this node's data path has taken.
    void report(status::NodeReport mine);
    // Of the addresses that Gateways have, those on this node's interfaces; and its own.
    void has(const std::set<IpAddress>& here, const std::vector<IpAddress>& own);
    // The other nodes that live.
    void live(std::set<std::string> others);
    // As Agreement has it.
    std::optional<nlohmann::json> say(const std::string& object, const nlohmann::json& wanted, const nlohmann::json& server);

    [[nodiscard]] std::vector<Trouble> troubles() const;
    // For GET /v1/status: the kind as others are shown, and who has taken what.
    [[nodiscard]] nlohmann::json kind_facts() const;
    [[nodiscard]] nlohmann::json facts() const;
    [[nodiscard]] const status::Agreement& agreement() const { return agreement_; }
    [[nodiscard]] std::uint64_t written() const { return written_; }

private:
    struct Seen {
        std::string node;
        std::string version;
        status::NodeReport report;
        std::optional<nlohmann::json> own;  // status of this node's, as the server has it
        std::set<std::string> owners;       // and uids of what it goes with
        bool gone = false;
    };
    struct News {
        std::vector<Seen> seen;
        bool all = false;
        bool known = false;
        bool missing = false;
        std::optional<Error> trouble;
    };
    static News read(const kubeapi::Batch& batch, const kubeapi::Reflection& reflection, const std::string& node);
    void on_news(const News& news);
    void saw(const Seen& one);
    void lost(const std::string& node, const std::string& version);
    void changed(const status::Agreement::Objects& objects);
    void wait_for_patience();

    void push();
    void ask_owner();
    void owner_is(std::string uid, bool may_come);
    [[nodiscard]] bool settled() const;
    void write();
    void wrote(const nlohmann::json& status, const std::string& owner, const Result<kubeapi::Answer>& answer);
    void push_later(std::chrono::milliseconds pause);

    Loop& loop_;
    const std::string node_;
    Events events_;
    status::Agreement agreement_;
    std::set<std::string> heard_;                // nodes whose objects the server has
    bool known_ = false;
    bool missing_ = false;
    bool told_missing_ = false;
    std::optional<Error> watch_trouble_;
    std::optional<Error> write_trouble_;

    std::set<IpAddress> own_of_others_;          // as told

    // ---- this node's own
    std::optional<std::set<IpAddress>> here_;
    std::vector<IpAddress> own_;
    std::optional<nlohmann::json> wanted_;       // status; nothing: not known yet
    std::optional<nlohmann::json> there_;        // as the server has it
    std::string version_;                        // of that
    nlohmann::json settled_;                     // what we wrote last, and the version that it became: the server's form of it may differ
    std::string settled_version_;
    std::optional<std::string> settled_owner_;
    std::optional<std::string> owner_;           // uid of the Node; "": there is none; nothing: not asked
    std::set<std::string> owners_there_;         // as the server has them
    unsigned absences_ = 0;                      // of the Node, as it was asked for
    bool asking_ = false;
    Loop::Time not_before_{};
    Loop::Time asked_until_{};  // by the server
    kubeapi::Backoff again_;
    std::uint64_t written_ = 0;
    kubeapi::Client* client_ = nullptr;
};

}  // namespace penstock::daemon
