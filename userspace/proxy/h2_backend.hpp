// SPDX-License-Identifier: Apache-2.0
// BackendSide for HTTP/2: a stream of a connection that others use at the same time.
#pragma once

#include <deque>

#include "userspace/proxy/backend_side.hpp"
#include "userspace/proxy/h2_body.hpp"
#include "userspace/proxy/h2_upstream.hpp"

namespace penstock::proxy {

class H2Backend final : public BackendSide, private http::H2StreamEvents {
public:
    H2Backend(ring::Loop& loop, std::shared_ptr<H2Upstream> upstream, bool tls) : upstream_(std::move(upstream)), source_(loop), sink_(loop), tls_(tls) {}
    ~H2Backend() { close(); }

    void start(const Outgoing& request) override;
    http::Progress read_head() override;
    http::ResponseHead& head() override { return current_.head; }
    BodySource& body() override { return source_; }
    void start_tunnel() override {}  // there is no 101 in HTTP/2
    void finish(bool whole) override;
    void close() override;
    [[nodiscard]] bool unprocessed() const override { return unprocessed_; }

    [[nodiscard]] bool has_room() const override { return sink_.has_room(); }
    void add(std::string_view piece) override { sink_.add(piece); }
    void end(const http::Headers& trailers) override;
    ring::Task<int> flush(ring::Time deadline) override { return sink_.flush(deadline); }

private:
    void on_response(http::H2Response response) override;
    void on_data(std::string_view data) override { source_.arrived(data); }
    void on_end(http::H2Trailers trailers) override { source_.ended(std::move(trailers)); }
    void on_sent() override { sink_.stir(); }
    void on_reset(const http::H2Reset& reset) override;
    void let_go();

    std::shared_ptr<H2Upstream> upstream_;
    http::H2Stream* stream_ = nullptr;
    H2Source source_;
    H2Sink sink_;
    std::deque<http::H2Response> responses_;  // heads that nobody has read yet
    http::H2Response current_;
    bool tls_;
    bool ended_ = false;        // with the request's head
    bool malformed_ = false;
    bool unprocessed_ = false;
};

}  // namespace penstock::proxy
