// SPDX-License-Identifier: Apache-2.0
// One end of a channel to the daemon or a worker, which may be slow, dead or hostile: sends wait in a bounded queue and never block
// the keeper, and every message that comes is verified.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "userspace/base/channel.hpp"
#include "userspace/keeper/items.hpp"

namespace penstock::keeper {

inline constexpr std::size_t kQueueMax = 200'000;  // messages; a peer that lets more wait is given up

class Peer {
public:
    explicit Peer(Fd socket);  // made non-blocking

    [[nodiscard]] int fd() const { return socket_.get(); }
    [[nodiscard]] bool waits_to_send() const { return !queue_.empty(); }
    // A fault after which this peer must be closed: it does not read, or what it sent is no message.
    [[nodiscard]] const std::string& fault() const { return fault_; }

    void send(std::vector<std::uint8_t> bytes, Descriptors descriptors = nullptr);
    // With the descriptors of all of these, one after the other.
    void send(std::vector<std::uint8_t> bytes, std::vector<Descriptors> descriptors);
    // Sends what waits, as far as the socket takes it.
    void flush();

    struct Received {
        std::unique_ptr<MessageT> message;  // null: nothing more now, or fault() is set
        std::vector<Fd> fds;
    };
    Received receive();

private:
    struct Waiting {
        std::vector<std::uint8_t> bytes;
        std::vector<Descriptors> descriptors;
    };
    Fd socket_;
    std::deque<Waiting> queue_;
    std::string fault_;
};

}  // namespace penstock::keeper
