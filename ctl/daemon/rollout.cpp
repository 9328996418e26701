// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/rollout.hpp"

#include <algorithm>
#include <utility>

#include "userspace/base/assert.hpp"

namespace penstock::daemon {

void Rollout::restore(std::uint64_t generation, std::uint64_t root_generation, std::string root_digest) {
    PST_ASSERT(step_ == Step::none && now_.wanted == 0);
    now_.wanted = std::max(generation, root_generation);
    published_generation_ = root_generation;
    published_digest_ = std::move(root_digest);
}

std::uint64_t Rollout::want(std::string root_digest) {
    ++now_.wanted;
    wanted_digest_ = std::move(root_digest);
    retry();
    return now_.wanted;
}

void Rollout::retry() {
    step_ = Step::prepare;
    publish_failed_ = false;
    gave_up_ = false;
}

void Rollout::prepared() {
    PST_ASSERT(step_ == Step::prepare);
    if (wanted_digest_ != published_digest_) {
        step_ = Step::publish;
    } else {
        after_publish();
    }
}

void Rollout::published() {
    PST_ASSERT(step_ == Step::publish);
    published_digest_ = wanted_digest_;
    published_generation_ = now_.wanted;
    after_publish();
}

void Rollout::after_publish() { step_ = taken_generation_ >= published_generation_ ? Step::finish : Step::wait; }

void Rollout::taken(std::uint64_t root_generation) {
    taken_generation_ = std::max(taken_generation_, root_generation);
    if (step_ == Step::wait && taken_generation_ >= published_generation_) {
        step_ = Step::finish;
    }
    settle();
}

void Rollout::give_up() {
    if (step_ == Step::wait) {
        step_ = Step::finish;
        gave_up_ = true;
    }
}

void Rollout::finished() {
    PST_ASSERT(step_ == Step::finish);
    step_ = Step::none;
    if (!publish_failed_) {
        now_.applied = now_.wanted;
    }
    settle();
}

void Rollout::settle() {
    const bool served = published_digest_ == wanted_digest_ && taken_generation_ >= published_generation_;
    if (served && now_.applied == now_.wanted) {
        now_.taken = now_.wanted;
        gave_up_ = false;
    }
}

status::Phase Rollout::phase() const {
    if (now_.taken == now_.wanted) {
        return status::Phase::taken;
    }
    return gave_up_ || publish_failed_ ? status::Phase::stuck : status::Phase::waiting;
}

}  // namespace penstock::daemon
