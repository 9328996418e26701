// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/heartbeat.hpp"

#include <utility>

#include "userspace/base/time.hpp"

namespace penstock::kubeapi {

namespace {

constexpr unsigned kReleases = 5;  // tries

}  // namespace

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
            self->give_up(kReleases);
            return;
        }
        self->client_.after(self->lease_.pause(), [self] { self->beat(); });
    });
}

void Heartbeat::release(Released done) {
    client_.after(milliseconds(0), [self = shared_from_this(), done = std::move(done)] {
        self->released_ = done;
        if (!self->asking_) {  // else when it is answered: it knows the newest version then
            self->give_up(kReleases);
        }
    });
}

// A renewal that the server took though we did not hear of it has made another version of the Lease.
void Heartbeat::give_up(unsigned tries) {
    auto request = lease_.release(unix_us_now());
    if (!request || tries == 0) {
        released_(!request);
        return;
    }
    client_.send(std::move(*request), [self = shared_from_this(), tries](const Result<Answer>& answer) {
        if (answer.ok() && answer->good()) {
            self->released_(true);
            return;
        }
        const bool outrun = answer.ok() && answer->status == 409;
        self->lease_.answered(answer, Clock::now());
        self->client_.after(outrun ? milliseconds(0) : self->lease_.pause(), [self, tries] { self->look_again(tries - 1); });
    });
}

void Heartbeat::look_again(unsigned tries) {
    client_.send(lease_.next(Clock::now(), unix_us_now()), [self = shared_from_this(), tries](const Result<Answer>& answer) {
        self->lease_.answered(answer, Clock::now());
        self->client_.after(self->lease_.trouble() ? self->lease_.pause() : milliseconds(0), [self, tries] { self->give_up(tries); });
    });
}

}  // namespace penstock::kubeapi
