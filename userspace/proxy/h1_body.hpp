// SPDX-License-Identifier: Apache-2.0
// Bodies of HTTP/1.x on a stream; also bytes without framing (after an upgrade, in a tunnel), as a body until the end of the stream.
#pragma once

#include <string>

#include "userspace/http/parser.hpp"
#include "userspace/proxy/body.hpp"
#include "userspace/proxy/gather.hpp"
#include "userspace/proxy/stream.hpp"

namespace penstock::proxy {

class H1Source final : public BodySource {
public:
    explicit H1Source(Stream& stream) : stream_(stream) {}
    void start(http::Framing framing, std::uint64_t length, const http::Limits& limits) {
        reader_ = http::BodyReader(limits);
        reader_.start(framing, length);
        reject_ = http::Reject::none;
        unread_ = false;
    }

    std::string_view next() override;
    ring::Task<int> wait(ring::Time deadline) override;
    [[nodiscard]] bool complete() const override { return reader_.complete(); }
    [[nodiscard]] http::Reject reject() const override { return reject_; }
    [[nodiscard]] const http::Headers& trailers() const override { return reader_.trailers(); }
    [[nodiscard]] Run run() override;
    void passed(std::uint64_t bytes, bool more) override;

private:
    Stream& stream_;
    bool unread_ = false;  // what comes next is left where it is
    http::BodyReader reader_;
    http::Reject reject_ = http::Reject::none;
};

// Heads and pieces leave in one send.
class H1Sink : public BodySink {
public:
    explicit H1Sink(Stream& stream) : stream_(stream) {}
    // Begins a message: text() is where its head is written to, then queue_text().
    void start(bool chunked);
    // From the next flush on bytes without framing, whose end is that of the stream.
    void start_raw() { raw_ = true; }
    [[nodiscard]] std::string& text() { return text_; }
    void queue_text() { gather_.add_text(text_); }

    [[nodiscard]] bool has_room() const override { return sent_ || gather_.has_room(); }
    void add(std::string_view piece) override;
    void end(const http::Headers& trailers) override;
    ring::Task<int> flush(ring::Time deadline) override;
    [[nodiscard]] Stream* raw() override;
    void passed(std::uint64_t bytes) override { bytes_ += bytes; }
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }  // queued since start()

private:
    void begin_again();
    ring::Task<int> flush_and_finish(ring::Time deadline);

    Stream& stream_;
    Gather gather_{false};
    std::string text_, tail_;
    std::uint64_t bytes_ = 0;
    bool sent_ = false;  // what gather_ holds has been handed on
    bool raw_ = false, ended_ = false;
};

// Bytes without framing both ways.
struct RawSide {
    explicit RawSide(Stream& stream) : in(stream), out(stream) {
        in.start(http::Framing::until_close, 0, http::Limits{});
        out.start_raw();
    }
    H1Source in;
    H1Sink out;
};

}  // namespace penstock::proxy
