// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/follower.hpp"

#include <random>
#include <utility>

#include "ctl/kubeapi/url.hpp"
#include "ctl/model/value_text.hpp"
#include "userspace/base/log.hpp"

namespace penstock::kubeapi {

namespace {

constexpr auto kLookForMissing = milliseconds(5'000);
constexpr auto kLookForNew = milliseconds(300'000);  // another version of a kind that we have
constexpr auto kDiscoveryAgain = milliseconds(2'000);
// A server that starts may not know its CRDs yet: what we follow is given up only after so many rounds without it.
constexpr unsigned kMissedMax = 4;

std::string selector_of(model::Kind kind) { return kind == model::Kind::secret ? "fieldSelector=" + url_encoded(kUsableSecrets) : ""; }

}  // namespace

struct Follower::Followed {
    model::Kind kind;
    Resource resource;
    std::shared_ptr<CollectionWatch> watch;  // ended if the kind is gone or is read in another version
};

// Several requests make one round; it counts as a whole or not at all.
struct Follower::Round {
    Resources resources = built_in_resources();
    unsigned waiting = 0;
    std::optional<Error> failure;
};

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
        if (self->followed_.empty()) {
            self->discover();
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
        ask_group(round, path);
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

void Follower::ask_group(const std::shared_ptr<Round>& round, const std::string& path) {
    round->waiting += 1;
    client_.send({.path = path}, [this, self = self_.lock(), round, path](const Result<Answer>& answer) {
        const bool none = answer.ok() && answer->status == 404;
        auto parsed = answer.ok() && answer->good() ? model::parse_json(answer->body) : Result<model::Value>(model::Value());
        if (!answer.ok()) {
            round->failure = answer.error();
        } else if (!none && (!answer->good() || !parsed.ok())) {
            round->failure = answer->failure("discover " + path);
        } else if (!none) {
            for (const std::string& version : version_paths(*parsed)) {
                ask_version(round, version);
            }
        }
        if (--round->waiting == 0) {
            discovered(*round);
        }
    });
}

void Follower::ask_version(const std::shared_ptr<Round>& round, const std::string& path) {
    round->waiting += 1;
    client_.send({.path = path}, [this, self = self_.lock(), round, path](const Result<Answer>& answer) {
        if (!answer.ok()) {
            round->failure = answer.error();
        } else if (!answer->good() && answer->status != 404) {
            round->failure = answer->failure("discover " + path);
        } else if (auto parsed = model::parse_json(answer->body); answer->good() && parsed.ok()) {
            add_resources(*parsed, round->resources);
        }
        if (--round->waiting == 0) {
            discovered(*round);
        }
    });
}

void Follower::discovered(const Round& round) {
    discovering_ = false;
    if (round.failure) {
        log::warn("Kubernetes API: {}", round.failure->message());
        discover_after(kDiscoveryAgain);
        if (followed_.empty()) {
            for (std::size_t i = 0; i < model::kKinds; ++i) {
                drop(static_cast<model::Kind>(i), round.failure->message(), false);
            }
        }
        return;
    }
    any_missing_ = false;
    for (std::size_t i = 0; i < model::kKinds; ++i) {
        const auto kind = static_cast<model::Kind>(i);
        const auto found = round.resources.find(kind);
        if (found != round.resources.end()) {
            missed_[kind] = 0;
            follow(kind, found->second);
            continue;
        }
        any_missing_ = true;
        if (followed_.contains(kind) && ++missed_[kind] < kMissedMax) {
            continue;
        }
        drop(kind, "the API server has no " + std::string(model::kind_name(kind)) + ": its CRD is not installed", true);
    }
    discover_after(any_missing_ ? kLookForMissing : kLookForNew);
}

// ---- one kind ---------------------------------------------------------------------------------------------------------
void Follower::drop(model::Kind kind, const std::string& why, bool missing) {
    if (const auto old = followed_.find(kind); old != followed_.end()) {
        old->second->watch->end();
        followed_.erase(old);
    }
    News news{.kind = kind, .resource = {}, .batch = {}, .state = {.api_version = {}, .synced = missing, .missing = missing, .trouble = why}};
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

void Follower::hand_on(const Followed& followed, Batch batch, const Reflection& reflection) {
    if (reflection.missing() && !any_missing_) {
        any_missing_ = true;  // its CRD was removed, or this server is starting: see, but not for each kind
        discover_after(kDiscoveryAgain);
    }
    News news{.kind = followed.kind, .resource = followed.resource, .batch = std::move(batch),
              .state = {.api_version = followed.resource.api_version, .synced = reflection.synced(), .missing = false,
                        .trouble = reflection.trouble() ? reflection.trouble()->message() : std::string()}};
    auto& told = told_[followed.kind];
    if (!news.batch.empty() || told != news.state) {
        told = news.state;
        tell_(std::move(news));
    }
}

}  // namespace penstock::kubeapi
