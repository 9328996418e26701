// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/collection_watch.hpp"

#include <utility>

namespace penstock::kubeapi {

CollectionWatch::CollectionWatch(Client& client, std::string collection, Reflection reflection, Tell tell)
    : client_(client), collection_(std::move(collection)), reflection_(std::move(reflection)), tell_(std::move(tell)) {}

std::shared_ptr<CollectionWatch> CollectionWatch::start(Client& client, std::string collection, Reflection reflection, Tell tell) {
    std::shared_ptr<CollectionWatch> made(new CollectionWatch(client, std::move(collection), std::move(reflection), std::move(tell)));
    made->step();
    return made;
}

void CollectionWatch::step() {
    if (ended_) {
        return;
    }
    next_ = reflection_.next();
    asked_until_ = Clock::now() + next_.asked;
    go_after(next_.delay);
}

void CollectionWatch::go_after(milliseconds delay) {
    auto go = [self = shared_from_this(), turn = ++turn_] {
        if (!self->ended_ && turn == self->turn_) {
            self->waiting_ = false;
            self->next_.what == Reflection::Next::What::list ? self->list(self->next_) : self->watch(self->next_);
        }
    };
    waiting_ = delay.count() > 0;
    if (waiting_) {
        client_.after(delay, std::move(go));
    } else {
        go();
    }
}

void CollectionWatch::hurry() {
    if (waiting_ && !ended_) {
        reflection_.take_heart();
        go_after(std::max(milliseconds(1), std::chrono::ceil<milliseconds>(asked_until_ - Clock::now())));
    }
}

void CollectionWatch::list(const Reflection::Next& next) {
    Request request{.path = collection_ + "?" + next.query, .patience = next.patience};
    client_.send(std::move(request), [self = shared_from_this()](const Result<Answer>& answer) {
        if (self->ended_) {
            return;
        }
        if (auto batch = self->reflection_.listed(answer)) {
            self->batch_ = std::move(*batch);
        }
        self->hand_on();
        self->step();
    });
}

void CollectionWatch::watch(const Reflection::Next& next) {
    Request request{.path = collection_ + "?" + next.query, .patience = next.patience};
    auto line = [self = shared_from_this()](std::string_view text) {
        if (self->ended_) {
            return;
        }
        self->reflection_.line(text, self->batch_);
        if (!self->handing_on_) {
            self->handing_on_ = true;  // once for all lines that came together
            self->client_.after(milliseconds(0), [self] { self->hand_on(); });
        }
    };
    client_.stream(std::move(request), std::move(line), [self = shared_from_this()](const Result<Answer>& answer) {
        if (!self->ended_) {
            self->reflection_.watch_ended(answer);
            self->hand_on();
            self->step();
        }
    });
}

void CollectionWatch::hand_on() {
    handing_on_ = false;
    if (!ended_) {
        tell_(std::exchange(batch_, {}), reflection_);
    }
}

}  // namespace penstock::kubeapi
