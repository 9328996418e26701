// SPDX-License-Identifier: Apache-2.0
// Moves the bytes of one HTTP/2 session over one stream: a reader that feeds it, and a writer that sends what it has to say, so much at a
// time as the socket takes. What several exchanges queue in one turn of the loop leaves in one send.
#pragma once

#include "userspace/http/h2_session.hpp"
#include "userspace/proxy/context.hpp"
#include "userspace/proxy/stream.hpp"
#include "userspace/ring/sync.hpp"

namespace penstock::proxy {

std::uint64_t milliseconds(ring::Time time);  // what sessions are told as the time

class H2Link {
public:
    struct Patience {
        std::uint32_t idle_ms = 0;   // without a stream
        std::uint32_t head_ms = 0;   // of a head that has begun
        std::uint32_t send_ms = 0;   // of one send
    };
    // What `session` refers to must outlive this.
    H2Link(Context& context, Stream stream, http::H2Role role, const http::H2Settings& settings, http::H2SessionEvents& events, const Patience& patience)
        : context_(context), stream_(std::move(stream)), session_(role, settings, events, now_ms()), patience_(patience), wake_(context.loop), scope_(context.loop) {}

    // Until the connection has ended. `first`: bytes that were received before. Once it has returned, streams have heard of their end.
    ring::Task<> run(std::string first);
    // Something was queued, consumed or reset.
    void wake() { wake_.signal(); }
    void cut() { scope_.cancel(); }

    [[nodiscard]] http::H2Session& session() { return session_; }
    [[nodiscard]] const http::H2Session& session() const { return session_; }
    [[nodiscard]] Stream& stream() { return stream_; }
    [[nodiscard]] std::uint64_t now_ms() const { return milliseconds(context_.loop.now()); }
    [[nodiscard]] bool ended() const { return ended_; }

private:
    ring::Task<> read(std::string first);
    ring::Task<> write();
    [[nodiscard]] ring::Time patience_ends() const;
    bool out_of_patience();
    void note_quiet();

    Context& context_;
    Stream stream_;
    http::H2Session session_;
    Patience patience_;
    ring::Event wake_;
    ring::Scope scope_;
    ring::Time quiet_since_ = {};
    std::string out_;
    bool busy_ = false;  // it had a stream when it was last looked at
    bool ended_ = false;
};

}  // namespace penstock::proxy
