// SPDX-License-Identifier: Apache-2.0
// ClientSide for HTTP/2: one stream of a client's connection, from its request to its release.
#pragma once

#include "userspace/proxy/client_side.hpp"
#include "userspace/proxy/h2_body.hpp"

namespace penstock::proxy {

class H2Client final : public ClientSide, private http::H2StreamEvents {
public:
    H2Client(Context& context, H2Link& link, http::H2Stream& stream, http::H2Request request, const ClientFacts& facts, ring::Scope& scope);
    ~H2Client();

    [[nodiscard]] const http::RequestHead& head() const { return request_.head; }

    [[nodiscard]] const ClientFacts& facts() const override { return facts_; }
    [[nodiscard]] HttpVersion version() const override { return HttpVersion::http2; }
    BodySource& body() override { return source_; }
    void start(const http::ResponseHead& head, bool last) override;
    void interim(const http::ResponseHead& head) override;
    void start_tunnel(const http::ResponseHead& head) override;
    void abort() override;
    void leave_body() override {}  // the stream's release does
    [[nodiscard]] std::uint64_t head_bytes() const override { return head_bytes_; }
    [[nodiscard]] std::uint64_t bytes_sent() const override { return sink_.bytes(); }

    [[nodiscard]] bool has_room() const override { return sink_.has_room(); }
    void add(std::string_view piece) override { sink_.add(piece); }
    void end(const http::Headers& trailers) override;
    ring::Task<int> flush(ring::Time deadline) override { return sink_.flush(deadline); }

private:
    // What a tunnel carries is no body: it is complete until the tunnel begins.
    class Source final : public BodySource {
    public:
        explicit Source(ring::Loop& loop) : bytes(loop) {}
        std::string_view next() override { return held ? std::string_view() : bytes.next(); }
        ring::Task<int> wait(ring::Time deadline) override { return bytes.wait(deadline); }
        [[nodiscard]] bool complete() const override { return held || bytes.complete(); }
        [[nodiscard]] http::Reject reject() const override { return bytes.reject(); }
        [[nodiscard]] const http::Headers& trailers() const override { return bytes.trailers(); }
        H2Source bytes;
        bool held = false;
    };

    void on_data(std::string_view data) override { source_.bytes.arrived(data); }
    void on_end(http::H2Trailers trailers) override { source_.bytes.ended(std::move(trailers)); }
    void on_sent() override { sink_.stir(); }
    void on_reset(const http::H2Reset& reset) override;
    void ask_for_tunnel();

    Context& context_;
    H2Link& link_;
    http::H2Stream* stream_;
    http::H2Request request_;
    const ClientFacts& facts_;
    ring::Scope& scope_;
    Source source_;
    H2Sink sink_;
    std::string websocket_key_;
    std::size_t head_bytes_ = 0;
    bool ended_ = false;  // with the response's head
};

}  // namespace penstock::proxy
