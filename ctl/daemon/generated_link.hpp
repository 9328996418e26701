// SPDX-License-Identifier: Apache-2.0
// Keeps what we make in a cluster for each Gateway of ours (status/generated.hpp): applied when the Gateway or its addresses change, when
// somebody deleted it, and again after a failure. All on the loop's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ctl/daemon/error_book.hpp"
#include "ctl/daemon/loop.hpp"
#include "ctl/kubeapi/client.hpp"
#include "ctl/source/cluster.hpp"
#include "ctl/status/generated.hpp"

namespace penstock::daemon {

class GeneratedLink {
public:
    // `may`: whether this node writes now. `changed`: troubles() may be others. Both outlive this, and so does what is given here.
    GeneratedLink(Loop& loop, const source::Cluster& cluster, std::function<bool()> may, std::function<void()> changed)
        : loop_(loop), cluster_(cluster), may_(std::move(may)), changed_(std::move(changed)) {}
    void start(kubeapi::Client& client) { client_ = &client; }

    // The status that is published of a Gateway; null: none, it is not ours (any more).
    void want(const model::ObjectKey& gateway, const std::shared_ptr<const std::string>& status);
    // The API server has another version of it, or has it no more.
    void seen(const model::ObjectKey& key);
    // All of them once more: others wrote meanwhile, or may have changed what no event told of.
    void forget_made();
    // Whether it has what is made for this Gateway in its care.
    [[nodiscard]] bool has(const model::ObjectKey& gateway) const { return gateways_.contains(gateway); }
    // Applies what is not there as it should be.
    void make();

    [[nodiscard]] std::uint64_t applied() const { return applied_; }
    void add_troubles(std::vector<Trouble>& out) const;

private:
    struct Gateway {
        std::shared_ptr<const std::string> status;                 // as published
        model::ObjectPtr made;                                     // as of which it was applied; null: it is to be
        std::shared_ptr<const std::string> made_status;
        nlohmann::json made_addresses;                             // all that counts of that status
        std::map<std::string, Error> not_made;                     // by path
        unsigned in_flight = 0;
        unsigned failures = 0;  // rounds that failed, one after the other
        Loop::Clock::time_point not_before = {};
    };
    [[nodiscard]] bool is_foreign(const model::ObjectKey& key) const;
    void apply(const model::ObjectKey& gateway, const status::Generated& thing);
    void applied(const model::ObjectKey& gateway, const status::Generated& thing, const Result<kubeapi::Answer>& answer);

    Loop& loop_;
    const source::Cluster& cluster_;
    std::function<bool()> may_;
    std::function<void()> changed_;
    kubeapi::Client* client_ = nullptr;
    std::map<model::ObjectKey, Gateway> gateways_;
    std::map<model::ObjectKey, model::ObjectKey> owners_;  // whose a Service or EndpointSlice is, or would be if it were not somebody else's
    std::uint64_t applied_ = 0;
};

}  // namespace penstock::daemon
