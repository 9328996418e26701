// SPDX-License-Identifier: Apache-2.0
// Follows all collections that the model reads: finds out where they are, lists and watches each, and hands on what changed. A kind whose
// CRD is missing is looked for again and again, and followed once it is there. All of it runs on the client's thread.
// Invariant: a kind is said to be missing, and its objects gone, only if several whole answers to discovery were without it, and its own
// collection, if it was followed, was not there (404) either.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ctl/kubeapi/client.hpp"
#include "ctl/kubeapi/collection_watch.hpp"
#include "ctl/kubeapi/pace.hpp"
#include "ctl/kubeapi/resources.hpp"

namespace penstock::kubeapi {

struct KindState {
    std::string api_version;       // "" if the server does not have the kind
    bool synced = false;           // listed once: what was told is the whole of it
    bool missing = false;          // its CRD is not there
    std::string trouble;           // why it is not being followed now; "" if it is
    std::string reason;            // of that what other kinds may have in common with this one
    bool operator==(const KindState&) const = default;
};

struct News {
    model::Kind kind = model::Kind::gateway_class;
    Resource resource;
    Batch batch;        // may be empty: only the state is new
    KindState state;
};

class Follower {
public:
    using Tell = std::function<void(News)>;

    // `tell` is called on the client's thread. The client outlives the follower's work: end the client first.
    static std::shared_ptr<Follower> start(Client& client, Tell tell);

    // Any thread. The server answers again: what waits after failures need not wait on.
    void hurry();
    // Any thread. Lists every collection anew, for who does not trust events.
    void relist();

private:
    struct Followed;
    struct Round;  // of discovery

    Follower(Client& client, Tell tell);
    void discover();
    void discover_after(milliseconds delay);
    void ask(const std::shared_ptr<Round>& round, const std::string& path);
    void answered(const std::shared_ptr<Round>& round, const Result<Answer>& answer, const std::string& path);
    void discovered(const Round& round);
    void failed(const Round& round);
    [[nodiscard]] bool still_unsure(model::Kind kind, bool odd);
    void follow(model::Kind kind, const Resource& resource);
    void drop(model::Kind kind, const std::string& why, bool missing);
    void hand_on(Followed& followed, Batch batch, const Reflection& reflection);

    Client& client_;
    Tell tell_;
    std::map<model::Kind, std::shared_ptr<Followed>> followed_;
    std::map<model::Kind, KindState> told_;
    std::weak_ptr<Follower> self_;
    std::map<model::Kind, unsigned> missed_;  // rounds of discovery, one after the other, in which a kind was not there
    std::uint64_t discovery_turn_ = 0;
    bool discovering_ = false;
    std::string failure_;    // of the last round
    Time asked_until_{};     // by the server, not to ask before
    Backoff again_;          // after rounds that failed
    Backoff unsure_;         // while a kind may be missing
    Backoff rarely_;         // for kinds that are
};

}  // namespace penstock::kubeapi
