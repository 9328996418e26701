// SPDX-License-Identifier: Apache-2.0
// The daemon's tie to a Kubernetes API: what is watched becomes the source `cluster`, what is published goes back as statuses. The talking
// is done on the client's thread; all else here is the loop's.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ctl/daemon/error_book.hpp"
#include "ctl/daemon/generated_link.hpp"
#include "ctl/daemon/leftovers.hpp"
#include "ctl/daemon/loop.hpp"
#include "ctl/daemon/node_link.hpp"
#include "ctl/kubeapi/client.hpp"
#include "ctl/kubeapi/election.hpp"
#include "ctl/kubeapi/follower.hpp"
#include "ctl/source/cluster.hpp"
#include "ctl/status/writer.hpp"

namespace penstock::daemon {

class ClusterLink {
public:
    struct Events {
        std::function<void()> content;  // given() or ready() is another one
        std::function<void()> trouble;  // troubles() may be others
        std::function<void(model::Kind)> missed = [](model::Kind) {};  // a list brought what an event should have
        std::function<void()> own = [] {};  // nodes().agreement().own_of_others() is another
    };
    // Begins to talk at once; an API server that is away is trouble, not an error. `loop` outlives it, and its events are on the loop's thread.
    // `node` is the name of this node: of all daemons with one Lease, that of one node writes.
    static Result<std::unique_ptr<ClusterLink>> open(Loop& loop, kubeapi::Access access, std::string controller, const std::string& node, Events events);
    // Steps down as the writer.
    ~ClusterLink();
    ClusterLink(const ClusterLink&) = delete;
    ClusterLink& operator=(const ClusterLink&) = delete;

    [[nodiscard]] bool ready() const { return cluster_.ready(); }
    [[nodiscard]] source::Given given() const { return cluster_.given(); }
    // What Gateways have by their statuses.
    [[nodiscard]] const compile::AddressBook& addresses() const { return cluster_.addresses(); }
    // The statuses that the server shall have.
    void publish(const status::Book::Published& published);
    // Whether it was. Until then nothing is written: who knows of no status would take ours away.
    [[nodiscard]] bool is_told() const { return told_; }
    // What this node's data path has taken: before the statuses that say so are published.
    void took(std::map<std::string, status::TakenObject> objects);
    // What of addresses it has: as NodeLink.
    void has(const std::set<IpAddress>& here, const std::vector<IpAddress>& own) { nodes_.has(here, own); }
    // The other nodes that live.
    void live(std::set<std::string> nodes) { nodes_.live(std::move(nodes)); }
    // Compares every status with what the API server has, and applies what belongs to Gateways once more.
    void look_again();

    [[nodiscard]] std::vector<Trouble> troubles() const;
    // For GET /v1/status.
    [[nodiscard]] nlohmann::json facts() const;
    [[nodiscard]] const NodeLink& nodes() const { return nodes_; }
    // Whether this node writes statuses.
    [[nodiscard]] bool writes() const { return election_.leads(Loop::Clock::now()); }

private:
    ClusterLink(Loop& loop, const kubeapi::Access& access, std::string controller, const std::string& node, Events events);
    void elect();
    void give_up();
    void elected(const Result<kubeapi::Answer>& answer);
    void on_news(source::ClusterNews news);
    void after_news();
    void want(const model::ObjectKey& key, const std::shared_ptr<const std::string>& status);
    [[nodiscard]] bool is_orphan(const model::ObjectKey& key) const;
    void pump();
    void say_again(const status::Agreement::Objects& objects);
    void tell_troubles();
    [[nodiscard]] std::optional<status::Target> find(const model::ObjectKey& key) const;

    Loop& loop_;
    std::string server_;
    Events events_;
    source::Cluster cluster_;
    NodeLink nodes_;
    status::Writer writer_;
    kubeapi::Election election_;
    bool led_ = false;
    std::map<model::Kind, Loop::Time> looking_again_;  // since when; their lists have not come yet
    bool news_noted_ = false;  // after_news() is on its way
    bool seen_ = false;        // and the writer has something to look at
    bool swept_ = false;  // of leftovers, since it leads
    std::optional<Loop::Clock::time_point> away_since_;  // the Lease's server does not answer
    GeneratedLink generated_;
    Leftovers leftovers_;
    status::Book::Published published_;
    bool told_ = false;
    std::vector<std::string> troubles_told_;
    std::shared_ptr<kubeapi::Follower> follower_;
    std::unique_ptr<kubeapi::Client> client_;  // the last: its thread ends first
};

}  // namespace penstock::daemon
