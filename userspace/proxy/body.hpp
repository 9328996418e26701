// SPDX-License-Identifier: Apache-2.0
// Bodies on their way through, whatever version of HTTP carries them on either side: pieces are taken where they are and queued where
// they go, and no side is read while the other is behind.
#pragma once

#include <string_view>

#include "userspace/http/headers.hpp"
#include "userspace/http/reject.hpp"
#include "userspace/ring/loop.hpp"

namespace penstock::proxy {

class Stream;

// What follows on a stream: so many bytes are body and nothing else.
struct Run {
    Stream* stream = nullptr;
    std::uint64_t bytes = 0;
};

class BodySource {
public:
    // The next piece that is here, without waiting; empty: none, or the body is complete, or it was rejected. Views stay until wait().
    virtual std::string_view next() = 0;
    // Waits for more. 0: look again; kEnded: the peer has sent all it will, though the body is not complete; or an errno.
    virtual ring::Task<int> wait(ring::Time deadline) = 0;
    [[nodiscard]] virtual bool complete() const = 0;
    // Why what came is no body: its framing is broken, or it is over the limit. Http::Reject::none as long as it is one.
    [[nodiscard]] virtual http::Reject reject() const = 0;
    // Once complete.
    [[nodiscard]] virtual const http::Headers& trailers() const = 0;

    // What need not be read here (splice.hpp), once all that was received has been taken. None: every byte is.
    [[nodiscard]] virtual Run run() { return {}; }
    // So many bytes of it went by. `more`: the next ones shall, so that wait() leaves them where they are.
    virtual void passed(std::uint64_t bytes, bool more) {
        (void)bytes;
        (void)more;
    }

protected:
    ~BodySource() = default;
};

class BodySink {
public:
    // Whether another piece may be queued before a flush.
    [[nodiscard]] virtual bool has_room() const = 0;
    // Queue. What they refer to must stay until flush() has returned.
    virtual void add(std::string_view piece) = 0;
    virtual void end(const http::Headers& trailers) = 0;
    // Until all that is queued was taken by the kernel (or the session above it): 0 or an errno.
    virtual ring::Task<int> flush(ring::Time deadline) = 0;

    // The stream that takes body as it is, while nothing is queued. Null: it is framed or sealed here.
    [[nodiscard]] virtual Stream* raw() { return nullptr; }
    virtual void passed(std::uint64_t bytes) { (void)bytes; }

protected:
    ~BodySink() = default;
};

// Takes what is here, at most what `to` has room for; the number of bytes.
inline std::size_t move_pieces(BodySource& from, BodySink& to) {
    std::size_t moved = 0;
    while (to.has_room()) {
        const std::string_view piece = from.next();
        if (piece.empty()) {
            break;
        }
        to.add(piece);
        moved += piece.size();
    }
    return moved;
}

}  // namespace penstock::proxy
