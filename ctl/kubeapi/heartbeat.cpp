// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/heartbeat.hpp"

#include <utility>

#include "userspace/base/time.hpp"

namespace penstock::kubeapi {

std::shared_ptr<Heartbeat> Heartbeat::start(Client& client, Election lease, Tell tell) {
    std::shared_ptr<Heartbeat> made(new Heartbeat(client, std::move(lease), std::move(tell)));
    client.after(milliseconds(0), [made] { made->beat(); });
    return made;
}

void Heartbeat::carry(std::map<std::string, std::string> labels, std::map<std::string, std::string> annotations) {
    client_.after(milliseconds(0), [self = shared_from_this(), labels = std::move(labels), annotations = std::move(annotations)] { self->lease_.carry(labels, annotations); });
}

void Heartbeat::beat() {
    if (released_) {
        return;
    }
    asking_ = true;
    client_.send(lease_.next(Clock::now(), unix_us_now()), [self = shared_from_this()](const Result<Answer>& answer) {
        self->asking_ = false;
        self->lease_.answered(answer, Clock::now());
        const auto& trouble = self->lease_.trouble();
        if (std::string now = trouble ? trouble->message() : std::string(); now != self->told_) {
            self->told_ = std::move(now);
            self->tell_(trouble);
        }
        if (self->released_) {
            self->give_up(self->released_);
            return;
        }
        self->client_.after(self->lease_.pause(), [self] { self->beat(); });
    });
}

void Heartbeat::release(std::function<void()> done) {
    client_.after(milliseconds(0), [self = shared_from_this(), done = std::move(done)] {
        self->released_ = done;
        if (!self->asking_) {  // else when it is answered: it knows the newest version then
            self->give_up(done);
        }
    });
}

void Heartbeat::give_up(const std::function<void()>& done) {
    auto request = lease_.release(unix_us_now());
    if (!request) {
        done();
        return;
    }
    client_.send(std::move(*request), [done](const Result<Answer>&) { done(); });
}

}  // namespace penstock::kubeapi
