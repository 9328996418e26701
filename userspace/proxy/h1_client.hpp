// SPDX-License-Identifier: Apache-2.0
// ClientSide for HTTP/1.x: one request on a connection.
#pragma once

#include "userspace/proxy/client_side.hpp"
#include "userspace/proxy/h1_body.hpp"

namespace penstock::proxy {

class H1Client final : public ClientSide {
public:
    H1Client(Stream& stream, const ClientFacts& facts) : stream_(stream), facts_(facts), source_(stream), sink_(stream) {}

    // Begins with the next request, whose head was taken from the stream. `last`: after it the connection is closed.
    void begin(const http::RequestHead& head, std::size_t head_bytes, const http::Limits& limits, bool last);
    // Whether the connection can serve another request, after the response.
    [[nodiscard]] bool reusable() const { return keeps_ && source_.complete(); }

    [[nodiscard]] const ClientFacts& facts() const override { return facts_; }
    [[nodiscard]] HttpVersion version() const override { return minor_ == 0 ? HttpVersion::http10 : HttpVersion::http11; }
    BodySource& body() override { return source_; }
    void start(const http::ResponseHead& head, bool last) override;
    void interim(const http::ResponseHead& head) override;
    void start_tunnel(const http::ResponseHead& head) override;
    void abort() override;
    void leave_body() override { keeps_ = false; }
    [[nodiscard]] std::uint64_t head_bytes() const override { return head_bytes_; }
    [[nodiscard]] std::uint64_t bytes_sent() const override { return sink_.bytes(); }

    [[nodiscard]] bool has_room() const override { return sink_.has_room(); }
    void add(std::string_view piece) override { sink_.add(piece); }
    void end(const http::Headers& trailers) override { sink_.end(trailers); }
    ring::Task<int> flush(ring::Time deadline) override { return sink_.flush(deadline); }
    [[nodiscard]] Stream* raw() override { return sink_.raw(); }
    void passed(std::uint64_t bytes) override { sink_.passed(bytes); }

private:
    Stream& stream_;
    const ClientFacts& facts_;
    H1Source source_;
    H1Sink sink_;
    std::size_t head_bytes_ = 0;
    int minor_ = 1;
    bool wants_more_ = true;  // the client keeps its connection
    bool keeps_ = false;      // and so do we
};

}  // namespace penstock::proxy
