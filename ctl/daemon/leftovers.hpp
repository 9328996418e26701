// SPDX-License-Identifier: Apache-2.0
// Deletes what we made in a cluster for a Gateway that is not ours any more: its class is another controller's now, or gone. What belongs to a
// Gateway that was deleted is the garbage collector's. Ours is what has our label, the name that we give it, and that very Gateway as
// owner; and it is deleted as it was seen, or not at all. All on the loop's thread.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ctl/daemon/error_book.hpp"
#include "ctl/daemon/loop.hpp"
#include "ctl/kubeapi/client.hpp"
#include "ctl/source/cluster.hpp"

namespace penstock::daemon {

class Leftovers {
public:
    struct Asks {
        std::function<bool()> may;                             // whether this node writes now
        std::function<bool(const model::ObjectKey&)> in_care;  // of a Gateway: what is made for it is still applied
        std::function<void()> changed;                         // troubles may be others
    };
    // `cluster` and what is asked outlive this.
    Leftovers(Loop& loop, const source::Cluster& cluster, std::string controller, Asks asks)
        : loop_(loop), cluster_(cluster), controller_(std::move(controller)), asks_(std::move(asks)) {}
    void start(kubeapi::Client& client) { client_ = &client; }

    // The API server has another version of it, or a Gateway is not ours any more.
    void seen(const model::ObjectKey& key);
    // Looks at all there is.
    void sweep();

    [[nodiscard]] std::uint64_t deleted() const { return deleted_; }
    void add_troubles(std::vector<Trouble>& out) const;

private:
    struct Attempt {
        bool in_flight = false;
        unsigned failures = 0;
        Loop::Clock::time_point not_before = {};
        std::optional<Error> error;
    };
    void look(const model::ObjectKey& key);
    [[nodiscard]] bool is_left_over(const model::Object& object) const;
    [[nodiscard]] bool is_served(const model::Object& gateway) const;
    void remove(const model::ObjectKey& key, const source::Cluster::Stored& stored);
    void answered(const model::ObjectKey& key, const Result<kubeapi::Answer>& answer);
    void try_again();

    Loop& loop_;
    const source::Cluster& cluster_;
    const std::string controller_;
    Asks asks_;
    kubeapi::Client* client_ = nullptr;
    std::map<model::ObjectKey, Attempt> attempts_;  // those that are not deleted yet
    std::uint64_t deleted_ = 0;
};

}  // namespace penstock::daemon
