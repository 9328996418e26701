// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/http_proxy.hpp"

#include <cerrno>

#include "userspace/proxy/exchange.hpp"
#include "userspace/proxy/h1_client.hpp"

namespace penstock::proxy {

namespace {

// Whether it begins as HTTP/2 does (RFC 9113 3.4); four bytes tell, as no method is PRI.
constexpr std::string_view kPreface = "PRI ";

class HttpConnection final : private Drainable {
public:
    HttpConnection(Context& context, HttpClient client) : context_(context), client_(std::move(client)), hold_(context.h2_pool, client_.facts.own()), scope_(context.loop), first_deadline_(context.in_ms(client_.limits.request_header_ms)) {}

    ring::Scope& scope() { return scope_; }

    ring::Task<> run() {
        if (co_await speaks_http2()) {
            std::string first = std::move(early_);
            first += client_.stream.data();
            client_.stream.consume(client_.stream.data().size());
            co_return co_await serve_http2(context_, std::move(client_), std::move(first));
        }
        const http::Limits limits = http_limits(client_.limits);
        http::RequestParser parser(limits);
        H1Client side(client_.stream, client_.facts);
        bool first = true;
        std::uint32_t requests = 0;
        while (co_await read_head(parser, first)) {
            first = false;
            client_.stream.consume(parser.size() - before_);
            side.begin(parser.head(), parser.size(), limits, ++requests == client_.limits.requests_per_connection_max);
            Exchange exchange(context_, side, scope_);
            co_await exchange.run(parser.head());
            exchange.tell();
            if (!side.reusable()) {
                break;
            }
            parser.reset();
        }
        co_await end();
    }

private:
    void drain() override { scope_.cancel(); }

    // What was received before that is clear is in early_ and in the stream.
    ring::Task<bool> speaks_http2() {
        if (client_.stream.tls() != nullptr) {
            co_return client_.stream.tls()->alpn() == "h2";
        }
        for (;;) {
            const std::string_view fresh = client_.stream.data();
            const std::size_t seen = std::min(kPreface.size(), early_.size() + fresh.size());
            const std::string start = early_ + std::string(fresh.substr(0, seen - early_.size()));
            if (seen != 0 && (seen == kPreface.size() || start != kPreface.substr(0, seen))) {
                co_return start == kPreface;
            }
            early_ += fresh;
            client_.stream.consume(fresh.size());
            if (co_await client_.stream.fill(first_deadline_) != 0) {
                co_return false;  // whoever reads the head tells why
            }
        }
    }

    // False: there is no next request; an answer was given where one was due.
    ring::Task<bool> read_head(http::RequestParser& parser, bool first) {
        head_ = std::exchange(early_, {});
        received_ = before_ = head_.size();
        ring::Time deadline = first ? first_deadline_ : context_.in_ms(client_.limits.idle_ms);
        bool started = !head_.empty();
        for (;;) {
            if (client_.stream.data().empty()) {
                if (!started && !first) {
                    wait(deadline);
                }
                const int filled = co_await client_.stream.fill(deadline);
                unlink();
                if (filled != 0) {
                    co_await missed(filled, started);
                    co_return false;
                }
            }
            if (!started) {
                started = true;
                deadline = context_.in_ms(client_.limits.request_header_ms);
            }
            const std::string_view fresh = client_.stream.data();
            received_ = head_.size() + fresh.size();
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

    void wait(ring::Time& deadline) {
        if (context_.draining) {  // its last answer could not say so
            deadline = std::min(deadline, context_.loop.after(context_.drain_wait));
        } else {
            context_.waiting.push_back(*this);
        }
    }

    ring::Task<> missed(int error, bool started) {
        if (started && error == ETIMEDOUT) {
            co_await refuse(Reason::header_timeout, 408, {});
        } else if (started) {
            context_.count_reason(Reason::client_closed);
        } else if (error == ETIMEDOUT && !context_.draining) {
            context_.count_reason(Reason::idle_timeout);
        }
    }

    ring::Task<> refuse(Reason reason, int status, std::string_view detail) {
        context_.count_reason(reason);
        context_.count_status(status);
        std::string id;
        context_.next_request_id(id);
        Answer said;
        make_refusal(said, {.reason = reason, .status = status, .detail = detail, .request_id = id});
        H1Client side(client_.stream, client_.facts);
        side.start(said.head, true);
        side.add(said.body);
        co_await side.flush(context_.in_ms(1000));
        tell_unread(context_, client_.facts, {.reason = reason, .status = status, .request_id = id, .bytes_in = received_, .bytes_out = side.bytes_sent()});
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
    ClientHold hold_;
    ring::Scope scope_;
    ring::Time first_deadline_;  // of the first head
    std::string early_;       // what came before it was clear that this is no HTTP/2
    std::string head_;        // a head that came in pieces
    std::size_t before_ = 0;  // of it, bytes that are no longer in the stream
    std::size_t received_ = 0;  // of the head, and what came with it
};

}  // namespace

ring::Task<> serve_http(Context& context, HttpClient client) {
    HttpConnection connection(context, std::move(client));
    co_await connection.run().in(connection.scope());
}

}  // namespace penstock::proxy
