// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/follower.hpp"

#include <algorithm>
#include <random>
#include <utility>

#include "ctl/kubeapi/url.hpp"
#include "ctl/model/value_text.hpp"
#include "userspace/base/log.hpp"

namespace penstock::kubeapi {

namespace {

constexpr auto kLookForNew = milliseconds(300'000);      // another version of a kind that we have
constexpr auto kLookForApi = milliseconds(5'000);        // the Gateway API itself: nothing can be served without it
constexpr auto kLookForMissing = milliseconds(60'000);   // kinds that many installations do not have
// A server that starts may not know its CRDs yet: what it seems not to have is taken for missing only after so many rounds without it.
constexpr unsigned kMissedMax = 5;
constexpr unsigned kMissedOptional = 2;  // where the rest is there

std::string selector_of(model::Kind kind) { return kind == model::Kind::secret ? "fieldSelector=" + url_encoded(kUsableSecrets) : ""; }

}  // namespace

struct Follower::Followed {
    model::Kind kind;
    Resource resource;
    std::shared_ptr<CollectionWatch> watch;  // ended if the kind is gone or is read in another version
    bool missing = false;                    // as its own collection has it
};

// Several requests make one round; it counts as a whole or not at all.
struct Follower::Round {
    Resources resources = built_in_resources();
    unsigned waiting = 0;
    std::optional<Error> failure;
    milliseconds asked{0};  // to wait, by the server
};

Follower::Follower(Client& client, Tell tell)
    : client_(client), tell_(std::move(tell)), again_(milliseconds(1'000), milliseconds(30'000), std::random_device()()),
      unsure_(milliseconds(500), milliseconds(8'000), std::random_device()()), rarely_(kLookForApi, kLookForMissing, std::random_device()()) {}

std::shared_ptr<Follower> Follower::start(Client& client, Tell tell) {
    std::shared_ptr<Follower> follower(new Follower(client, std::move(tell)));
    follower->self_ = follower;
    client.after(milliseconds(0), [follower] { follower->discover(); });
    return follower;
}

void Follower::hurry() {
    client_.after(milliseconds(0), [self = self_.lock()] {
        for (const auto& [kind, followed] : self->followed_) {
            followed->watch->hurry();
        }
        if (!self->failure_.empty()) {
            self->again_.succeeded();
            self->discover_after(std::max(milliseconds(1), std::chrono::ceil<milliseconds>(self->asked_until_ - Clock::now())));
        }
    });
}

void Follower::relist() {
    client_.after(milliseconds(0), [self = self_.lock()] {
        for (const auto& [kind, followed] : self->followed_) {
            followed->watch->restart();
        }
    });
}

// ---- discovery --------------------------------------------------------------------------------------------------------
void Follower::discover() {
    if (discovering_) {
        return;
    }
    discovering_ = true;
    auto round = std::make_shared<Round>();
    for (const std::string& path : discovered_groups()) {
        ask(round, path);
    }
}

// The newest wish counts.
void Follower::discover_after(milliseconds delay) {
    client_.after(delay, [this, self = self_.lock(), turn = ++discovery_turn_] {
        if (turn == discovery_turn_) {
            discover();
        }
    });
}

void Follower::ask(const std::shared_ptr<Round>& round, const std::string& path) {
    round->waiting += 1;
    client_.send({.path = path}, [this, self = self_.lock(), round, path](const Result<Answer>& answer) { answered(round, answer, path); });
}

void Follower::answered(const std::shared_ptr<Round>& round, const Result<Answer>& answer, const std::string& path) {
    const auto parsed = answer.ok() && answer->good() ? model::parse_json(answer->body) : Result<model::Value>(model::Value());
    if (!answer.ok()) {
        round->failure = answer.error();
    } else if (!answer->good() && answer->status != 404) {
        round->failure = answer->failure("discover " + path);
        round->asked = std::max(round->asked, answer->retry_after.value_or(milliseconds(0)));
    } else if (answer->good() && (!parsed.ok() || !is_discovery_of(*parsed, path))) {
        round->failure = Error{.code = Errc::invalid, .what = "discover " + path + ": the answer is none"};
    } else if (answer->good()) {
        add_resources(*parsed, round->resources);
        for (const std::string& version : version_paths(*parsed)) {
            ask(round, version);
        }
    }
    if (--round->waiting == 0) {
        discovered(*round);
    }
}

// Said once, however often it is tried.
void Follower::failed(const Round& round) {
    if (std::string why = round.failure->message(); why != failure_) {
        failure_ = std::move(why);
        log::warn("Kubernetes API: {}", failure_);
    }
    asked_until_ = Clock::now() + round.asked;
    discover_after(std::max(again_.next(), round.asked));
    if (followed_.empty()) {
        for (std::size_t i = 0; i < model::kKinds; ++i) {
            drop(static_cast<model::Kind>(i), failure_, false);
        }
    }
}

// Whether a kind that a round was without may be there all the same. `odd`: the round was without what every installation has.
bool Follower::still_unsure(model::Kind kind, bool odd) {
    const auto followed = followed_.find(kind);
    if (followed != followed_.end() && !followed->second->missing) {
        missed_[kind] = 0;  // it is being followed: that counts for more
        return false;
    }
    const unsigned most = odd || followed != followed_.end() ? kMissedMax : kMissedOptional;
    return ++missed_[kind] < most;
}

void Follower::discovered(const Round& round) {
    discovering_ = false;
    if (round.failure) {
        failed(round);
        return;
    }
    failure_.clear();
    again_.succeeded();
    bool odd = false;
    for (std::size_t i = 0; i < model::kKinds; ++i) {
        const auto kind = static_cast<model::Kind>(i);
        odd = odd || (is_always_there(kind) && !round.resources.contains(kind));
    }
    bool unsure = false;
    bool missing = false;
    for (std::size_t i = 0; i < model::kKinds; ++i) {
        const auto kind = static_cast<model::Kind>(i);
        if (const auto found = round.resources.find(kind); found != round.resources.end()) {
            missed_[kind] = 0;
            follow(kind, found->second);
            continue;
        }
        missing = true;
        if (still_unsure(kind, odd)) {
            unsure = true;  // not listed, for now
        } else if (const auto followed = followed_.find(kind); followed == followed_.end() || followed->second->missing) {
            drop(kind, "the API server has no " + std::string(model::kind_name(kind)) + ": its CRD is not installed", true);
        }
    }
    if (unsure) {
        discover_after(unsure_.next());
        return;
    }
    unsure_.succeeded();
    discover_after(odd ? kLookForApi : missing ? rarely_.next() : kLookForNew);
}

// ---- one kind ---------------------------------------------------------------------------------------------------------
void Follower::drop(model::Kind kind, const std::string& why, bool missing) {
    if (const auto old = followed_.find(kind); old != followed_.end()) {
        old->second->watch->end();
        followed_.erase(old);
    }
    News news{.kind = kind, .resource = {}, .batch = {}, .state = {.api_version = {}, .synced = missing, .missing = missing, .trouble = why, .reason = why}};
    news.batch.all = missing;  // no such kind: no such objects
    if (auto& told = told_[kind]; told != news.state) {
        told = news.state;
        tell_(std::move(news));
    }
}

void Follower::follow(model::Kind kind, const Resource& resource) {
    auto& followed = followed_[kind];
    if (followed != nullptr && followed->resource == resource) {
        return;
    }
    if (followed != nullptr) {
        followed->watch->end();
    }
    rarely_.succeeded();  // somebody is installing
    std::random_device seed;
    followed = std::make_shared<Followed>(Followed{.kind = kind, .resource = resource, .watch = nullptr});
    // The watch does not outlive what it is of.
    followed->watch = CollectionWatch::start(client_, resource.collection(), Reflection(resource.api_version, resource.kind, selector_of(kind), seed()),
                                             [weak = self_, raw = followed.get()](Batch batch, const Reflection& reflection) {
                                                 if (const auto self = weak.lock()) {
                                                     self->hand_on(*raw, std::move(batch), reflection);
                                                 }
                                             });
}

void Follower::hand_on(Followed& followed, Batch batch, const Reflection& reflection) {
    if (reflection.missing() && !followed.missing) {
        unsure_.succeeded();  // its CRD was removed, or this server is starting: see, but once for all kinds
        discover_after(unsure_.next());
    }
    followed.missing = reflection.missing();
    News news{.kind = followed.kind, .resource = followed.resource, .batch = std::move(batch),
              .state = {.api_version = followed.resource.api_version, .synced = reflection.synced(), .missing = false,
                        .trouble = reflection.trouble() ? reflection.trouble()->message() : std::string(),
                        .reason = reflection.trouble() ? reflection.trouble()->what : std::string()}};
    auto& told = told_[followed.kind];
    if (!news.batch.empty() || told != news.state) {
        told = news.state;
        tell_(std::move(news));
    }
}

}  // namespace penstock::kubeapi
