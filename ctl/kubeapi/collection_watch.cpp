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
    const Reflection::Next next = reflection_.next();
    auto go = [self = shared_from_this(), next] {
        if (!self->ended_) {
            next.what == Reflection::Next::What::list ? self->list(next) : self->watch(next);
        }
    };
    if (next.delay.count() > 0) {
        client_.after(next.delay, std::move(go));
    } else {
        go();
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
