// SPDX-License-Identifier: Apache-2.0
// BackendSide for HTTP/1.1: a connection of the pool, or a new one, for one exchange.
#pragma once

#include "userspace/proxy/backend_connect.hpp"
#include "userspace/proxy/backend_side.hpp"
#include "userspace/proxy/h1_body.hpp"

namespace penstock::proxy {

class H1Backend final : public BackendSide {
public:
    H1Backend(Context& context, BackendConnection connection, const http::Limits& limits)
        : context_(context), stream_(std::move(connection.stream)), place_(std::move(connection.place)), source_(stream_), sink_(stream_), parser_(limits) {}

    void start(const Outgoing& request) override;
    http::Progress read_head() override;
    http::ResponseHead& head() override { return parser_.head(); }
    BodySource& body() override { return source_; }
    void start_tunnel() override;
    void finish(bool whole) override;
    void close() override { stream_.close(); }

    [[nodiscard]] bool has_room() const override { return sink_.has_room(); }
    void add(std::string_view piece) override { sink_.add(piece); }
    void end(const http::Headers& trailers) override { sink_.end(trailers); }
    ring::Task<int> flush(ring::Time deadline) override { return sink_.flush(deadline); }
    [[nodiscard]] Stream* raw() override { return sink_.raw(); }
    void passed(std::uint64_t bytes) override { sink_.passed(bytes); }

private:
    Context& context_;
    Stream stream_;
    BackendPlace place_;
    H1Source source_;
    H1Sink sink_;
    http::ResponseParser parser_;
    std::string head_;        // a head that came in pieces
    bool head_done_ = false;  // the one in parser_ has been used
};

}  // namespace penstock::proxy
