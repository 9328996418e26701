// SPDX-License-Identifier: Apache-2.0
// Kept-alive connections of HTTP/1.1 to backends, of one thread. The newest is used first, so that the others can grow old and close. A
// connection that the backend closes, or on which it speaks out of turn, leaves the pool at once.
// What a burst needed at the same time (a few clients of HTTP/2 ask for hundreds of answers) is kept for the next one, but not for long.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "userspace/proxy/backend_place.hpp"
#include "userspace/proxy/stream.hpp"

namespace penstock::proxy {

class Pool {
public:
    static constexpr std::size_t kLasting = 64;  // of a place
    explicit Pool(ring::Loop& loop, ring::Duration burst = std::chrono::seconds(5)) : loop_(loop), burst_(burst) {}
    Pool(const Pool&) = delete;
    ~Pool() { clear(); }

    // A connection that was quiet until now, or none.
    Stream take(const BackendPlace& place);
    // Keeps it for `idle`, or for a burst's time if that is shorter and kLasting are kept for that place. At `most` the oldest goes.
    void give(const BackendPlace& place, Stream stream, ring::Duration idle, std::size_t most);
    // Lets go of those to places that are no longer `wanted`.
    template <class Wanted>
    void keep_only(Wanted wanted) {
        for (auto it = kept_.begin(); it != kept_.end();) {
            it = wanted(it->first) ? std::next(it) : drop(it);
        }
    }
    void clear();
    [[nodiscard]] std::size_t size() const { return size_; }

private:
    struct Kept final : ring::IdleHook {
        Kept(Pool& owner, const BackendPlace& where, Stream connection) : pool(owner), place(where), stream(std::move(connection)) {}
        void disturbed(int) override { pool.forget(*this); }
        Pool& pool;
        BackendPlace place;
        Stream stream;
    };
    using Places = std::unordered_map<BackendPlace, std::vector<std::unique_ptr<Kept>>, BackendPlaceHash>;
    void forget(Kept& kept);
    Places::iterator drop(Places::iterator place);

    ring::Loop& loop_;
    ring::Duration burst_;
    Places kept_;  // oldest first
    std::size_t size_ = 0;
};

}  // namespace penstock::proxy
