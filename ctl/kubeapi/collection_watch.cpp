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
    began_ = Clock::now();
    const std::uint64_t turn = ++turn_;
    auto line = [self = shared_from_this(), turn](std::string_view text, bool last) {
        if (!self->ended_ && turn == self->turn_) {
            self->took(text, last);
        }
    };
    stream_ = client_.stream(std::move(request), std::move(line), [self = shared_from_this(), turn](const Result<Answer>& answer) {
        if (!self->ended_ && turn == self->turn_) {
            self->stream_.reset();
            self->watch_ended(answer);
        }
    });
}

// Handed on once for all lines that came together, and before libcurl looks after its other transfers.
void CollectionWatch::took(std::string_view line, bool last) {
    if (!reflection_.line(line, batch_)) {
        let_go();
        watch_ended(Answer{.status = 200, .body = {}, .retry_after = {}});
        return;
    }
    if (last) {
        hand_on();
    }
}

void CollectionWatch::watch_ended(const Result<Answer>& answer) {
    reflection_.watch_ended(answer, std::chrono::duration_cast<milliseconds>(Clock::now() - began_));
    hand_on();
    step();
}

// What it still gives counts no more.
void CollectionWatch::let_go() {
    if (stream_) {
        client_.end_stream(*std::exchange(stream_, std::nullopt));
        ++turn_;
    }
}

void CollectionWatch::restart() {
    if (ended_ || next_.what == Reflection::Next::What::list) {
        return;
    }
    reflection_.restart();
    if (waiting_) {
        next_ = reflection_.next();
    } else {
        let_go();
        hand_on();
        step();
    }
}

void CollectionWatch::end() {
    ended_ = true;
    let_go();
}

void CollectionWatch::hand_on() {
    if (!ended_) {
        tell_(std::exchange(batch_, {}), reflection_);
    }
}

}  // namespace penstock::kubeapi
