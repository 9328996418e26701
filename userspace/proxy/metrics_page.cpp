// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/metrics_page.hpp"

#include "userspace/proxy/h1_client.hpp"
#include "userspace/proxy/metrics_text.hpp"

namespace penstock::proxy {

namespace {

constexpr std::uint64_t kSendMs = 10'000;

http::Limits head_limits() {
    http::Limits limits;
    limits.head_bytes_max = 8192;
    return limits;
}

class MetricsConnection final : private Drainable {
public:
    MetricsConnection(Context& context, Stream stream) : context_(context), stream_(std::move(stream)), scope_(context.loop), side_(stream_, facts_) {}

    ring::Scope& scope() { return scope_; }

    ring::Task<> run() {
        for (;;) {
            const bool read = co_await read_head();
            if (!read) {
                break;
            }
            const int error = co_await answer();
            if (error != 0 || !side_.reusable() || context_.draining) {
                break;
            }
        }
        co_await stream_.finish(context_.in_ms(1000));
    }

private:
    void drain() override { scope_.cancel(); }

    // False: there is no next request.
    ring::Task<bool> read_head() {
        head_.clear();
        parser_.reset();
        const ring::Time deadline = context_.in_ms(context_.tables->limits.idle_ms);
        for (;;) {
            if (stream_.data().empty()) {
                context_.waiting.push_back(*this);
                const int filled = co_await stream_.fill(deadline);
                unlink();
                if (filled != 0) {
                    co_return false;
                }
            }
            const std::size_t before = head_.size();
            head_ += stream_.data();
            const http::Progress progress = parser_.parse(head_);
            if (progress == http::Progress::done) {
                stream_.consume(parser_.size() - before);
                side_.begin(parser_.head(), parser_.size(), limits_, false);
                co_return true;
            }
            if (progress == http::Progress::rejected) {
                co_await say(http::status_of(parser_.reject()), http::sentence_of(parser_.reject()), true);
                co_return false;
            }
            stream_.consume(head_.size() - before);
        }
    }

    ring::Task<int> answer() {
        const http::RequestHead& head = parser_.head();
        if (head.framing != http::Framing::none) {
            co_return co_await say(413, "no request has a body here", true);
        }
        if (head.method != "GET" && head.method != "HEAD") {
            co_return co_await say(405, "only GET and HEAD are served here");
        }
        if (head.path == "/healthz") {
            co_return co_await say(context_.draining ? 503 : 200, context_.draining ? "draining" : "ok");
        }
        if (head.path != "/metrics" || context_.stats_page == nullptr) {
            co_return co_await say(404, "there are /metrics and /healthz here");
        }
        co_return co_await send_metrics();
    }

    // `last`: the rest of what the client sends cannot be read.
    ring::Task<int> say(int status, std::string_view text, bool last = false) {
        const std::string body = std::string(text) + "\n";
        const bool to_head = parser_.head().method == "HEAD";
        http::ResponseHead head;
        head.status = status;
        head.headers.add("Content-Type", "text/plain; charset=utf-8");
        if (status == 405) {
            head.headers.add("Allow", "GET, HEAD");
        }
        head.framing = to_head ? http::Framing::none : http::Framing::length;
        head.content_length = body.size();
        side_.start(head, last || context_.draining);
        if (!to_head) {
            side_.add(body);
        }
        side_.end({});
        co_return co_await side_.flush(context_.in_ms(kSendMs));
    }

    ring::Task<int> send_metrics() {
        const bool to_head = parser_.head().method == "HEAD";
        http::ResponseHead head;
        head.status = 200;
        head.headers.add("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
        head.framing = to_head ? http::Framing::none : http::Framing::chunked;
        side_.start(head, context_.draining);
        MetricsText text(*context_.stats_page, context_.tables);
        std::string piece;
        for (bool more = !to_head; more;) {
            piece.clear();
            more = text.next(piece);
            side_.add(piece);
            if (!more) {
                break;
            }
            const int sent = co_await side_.flush(context_.in_ms(kSendMs));
            if (sent != 0) {
                co_return sent;
            }
        }
        side_.end({});
        co_return co_await side_.flush(context_.in_ms(kSendMs));
    }

    Context& context_;
    Stream stream_;
    ring::Scope scope_;
    const ClientFacts facts_;
    H1Client side_;
    const http::Limits limits_ = head_limits();
    http::RequestParser parser_{limits_};
    std::string head_;
};

}  // namespace

ring::Task<> serve_metrics(Context& context, Stream stream) {
    MetricsConnection connection(context, std::move(stream));
    co_await connection.run().in(connection.scope());
}

}  // namespace penstock::proxy
