// SPDX-License-Identifier: Apache-2.0
#include "userspace/keeper/peer.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

namespace penstock::keeper {

namespace {
// ETOOMANYREFS: too many descriptors of ours are in flight; they land as soon as the peer reads.
bool is_for_later(const Error& error) {
    return error.sys_errno == EAGAIN || error.sys_errno == ENOBUFS || error.sys_errno == ETOOMANYREFS;
}
}  // namespace

Peer::Peer(Fd socket) : socket_(std::move(socket)) {
    ::fcntl(socket_.get(), F_SETFL, ::fcntl(socket_.get(), F_GETFL) | O_NONBLOCK);
}

void Peer::send(std::vector<std::uint8_t> bytes, Descriptors descriptors) {
    std::vector<Descriptors> some;
    if (descriptors != nullptr) {
        some.push_back(std::move(descriptors));
    }
    send(std::move(bytes), std::move(some));
}

void Peer::send(std::vector<std::uint8_t> bytes, std::vector<Descriptors> descriptors) {
    if (queue_.size() >= kQueueMax) {
        fault_ = "does not read its messages";
        return;
    }
    if (bytes.size() > kChannelMessageMax) {
        fault_ = "a message to it is too large";
        return;
    }
    queue_.push_back({std::move(bytes), std::move(descriptors)});
    flush();
}

void Peer::flush() {
    while (fault_.empty() && !queue_.empty()) {
        const Waiting& next = queue_.front();
        std::vector<int> fds;
        for (const Descriptors& some : next.descriptors) {
            std::transform(some->begin(), some->end(), std::back_inserter(fds), [](const Fd& fd) { return fd.get(); });
        }
        if (auto sent = channel_send(socket_.get(), next.bytes, fds); !sent.ok()) {
            if (!is_for_later(sent.error())) {
                fault_ = "its channel is broken";
            }
            return;
        }
        queue_.pop_front();
    }
}

Peer::Received Peer::receive() {
    auto received = channel_receive(socket_.get());
    if (!received.ok()) {
        if (!is_for_later(received.error())) {
            fault_ = received.error().code == Errc::not_found ? "closed its channel" : received.error().message();
        }
        return {};
    }
    auto message = decode(received->bytes);
    if (message == nullptr) {
        fault_ = "sent bytes that are no message";
        return {};
    }
    return {std::move(message), std::move(received->fds)};
}

}  // namespace penstock::keeper
