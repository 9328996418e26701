// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/http_proxy.hpp"

#include <cerrno>

#include "userspace/proxy/exchange.hpp"
#include "userspace/proxy/h1_client.hpp"

namespace penstock::proxy {

namespace {

class HttpConnection {
public:
    HttpConnection(Context& context, HttpClient client) : context_(context), client_(std::move(client)), scope_(context.loop), idle_(scope_) {}

    ring::Scope& scope() { return scope_; }

    ring::Task<> run() {
        const http::Limits limits = http_limits(context_.tables->limits);
        http::RequestParser parser(limits);
        H1Client side(client_.stream, client_.facts);
        bool first = true;
        while (co_await read_head(parser, first)) {
            first = false;
            client_.stream.consume(parser.size() - before_);
            side.begin(parser.head(), parser.size(), limits);
            Exchange exchange(context_, side, scope_);
            co_await exchange.run(parser.head());
            if (!side.reusable()) {
                break;
            }
            parser.reset();
        }
        co_await end();
    }

private:
    // False: there is no next request; an answer was given where one was due.
    ring::Task<bool> read_head(http::RequestParser& parser, bool first) {
        head_.clear();
        before_ = 0;
        ring::Time deadline = context_.in_ms(first ? context_.tables->limits.request_header_ms : context_.tables->limits.idle_ms);
        bool started = false;
        for (;;) {
            if (client_.stream.data().empty()) {
                if (!started && context_.draining && !first) {
                    co_return false;
                }
                if (!started && !first) {
                    context_.idle.push_back(idle_);
                }
                const int filled = co_await client_.stream.fill(deadline);
                idle_.unlink();
                if (filled != 0) {
                    co_await missed(filled, started);
                    co_return false;
                }
            }
            if (!started) {
                started = true;
                deadline = context_.in_ms(context_.tables->limits.request_header_ms);
            }
            const std::string_view fresh = client_.stream.data();
            before_ = head_.size();
            if (before_ != 0) {
                head_ += fresh;
            }
            const http::Progress progress = parser.parse(before_ != 0 ? std::string_view(head_) : fresh);
            if (progress == http::Progress::done) {
                co_return true;
            }
            if (progress == http::Progress::rejected) {
                co_await refuse(reason_of(parser.reject()), http::status_of(parser.reject()), http::sentence_of(parser.reject()));
                co_return false;
            }
            if (before_ == 0) {
                head_ = fresh;
            }
            client_.stream.consume(fresh.size());
        }
    }

    ring::Task<> missed(int error, bool started) {
        if (started && error == ETIMEDOUT) {
            co_await refuse(Reason::header_timeout, 408, {});
        } else if (started) {
            context_.count_reason(Reason::client_closed);
        } else if (error == ETIMEDOUT) {
            context_.count_reason(Reason::idle_timeout);
        }
    }

    ring::Task<> refuse(Reason reason, int status, std::string_view detail) {
        context_.count_reason(reason);
        context_.count_status(status);
        Answer said;
        make_refusal(said, {.reason = reason, .status = status, .detail = detail});
        H1Client side(client_.stream, client_.facts);
        side.start(said.head, true);
        side.add(said.body);
        co_await side.flush(context_.in_ms(1000));
    }

    // Closes so that the client can read the last answer: with unread bytes the kernel would reset the connection.
    ring::Task<> end() {
        constexpr int kLingerReads = 64;
        if (!client_.stream.socket().open() || scope_.cancelled() != 0) {
            co_return;
        }
        co_await client_.stream.finish(context_.in_ms(1000));
        const ring::Time deadline = context_.in_ms(1000);
        for (int i = 0; i < kLingerReads; ++i) {
            client_.stream.consume(client_.stream.data().size());
            const ring::Received rest = co_await client_.stream.socket().receive(deadline);
            if (!rest) {
                break;
            }
        }
    }

    Context& context_;
    HttpClient client_;
    ring::Scope scope_;
    IdleNode idle_;
    std::string head_;        // a head that came in pieces
    std::size_t before_ = 0;  // of it, bytes that are no longer in the stream
};

}  // namespace

ring::Task<> serve_http(Context& context, HttpClient client) {
    HttpConnection connection(context, std::move(client));
    co_await connection.run().in(connection.scope());
}

}  // namespace penstock::proxy
