// SPDX-License-Identifier: Apache-2.0
// Kept-alive connections to backends, of one thread. The newest is used first, so that the others can grow old and close. A connection
// that the backend closes, or on which it speaks out of turn, leaves the pool at once.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "userspace/base/ip.hpp"
#include "userspace/ring/loop.hpp"

namespace penstock::proxy {

class Pool {
public:
    explicit Pool(ring::Loop& loop) : loop_(loop) {}
    Pool(const Pool&) = delete;
    ~Pool() { clear(); }

    // A connection that was quiet until now, or none.
    ring::Socket take(const Endpoint& endpoint);
    // Keeps it for `idle`, unless `most` are kept for that endpoint: then the oldest goes.
    void give(const Endpoint& endpoint, ring::Socket socket, ring::Duration idle, std::size_t most);
    void clear();
    [[nodiscard]] std::size_t size() const { return size_; }

private:
    struct Kept final : ring::IdleHook {
        Kept(Pool& owner, const Endpoint& where, ring::Socket connection) : pool(owner), endpoint(where), socket(std::move(connection)) {}
        void disturbed(int) override { pool.forget(*this); }
        Pool& pool;
        Endpoint endpoint;
        ring::Socket socket;
    };
    void forget(Kept& kept);

    ring::Loop& loop_;
    std::unordered_map<Endpoint, std::vector<std::unique_ptr<Kept>>> kept_;  // oldest first
    std::size_t size_ = 0;
};

}  // namespace penstock::proxy
