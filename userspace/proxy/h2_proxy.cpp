// SPDX-License-Identifier: Apache-2.0
// A client's connection that speaks HTTP/2: each of its streams is an exchange of its own.
#include "userspace/proxy/date.hpp"
#include "userspace/proxy/event.hpp"
#include "userspace/proxy/exchange.hpp"
#include "userspace/proxy/h2_client.hpp"
#include "userspace/proxy/http_proxy.hpp"

namespace penstock::proxy {

namespace {

http::H2Settings settings_of(const fb::LimitsT& limits) {
    http::H2Settings settings;
    settings.streams_max = limits.streams_max;
    settings.limits = http_limits(limits);
    return settings;
}

class H2Connection final : private http::H2SessionEvents, private Drainable {
public:
    H2Connection(Context& context, HttpClient client)
        : context_(context), limits_(client.limits), facts_(std::move(client.facts)), settings_(settings_of(limits_)), scope_(context.loop),
          link_(context, std::move(client.stream), http::H2Role::server, settings_, *this,
                {.idle_ms = limits_.idle_ms, .head_ms = limits_.request_header_ms, .send_ms = limits_.body_stall_ms}) {}

    ring::Task<> run(std::string first) {
        if (context_.draining) {
            link_.session().drain();
        }
        context_.drainable.push_back(*this);
        co_await link_.run(std::move(first));
        unlink();
        count_fault();
        scope_.cancel();
        while (running_ != 0) {
            Event& last = all_done_.emplace(context_.loop);
            co_await last;
        }
    }

private:
    void on_request(http::H2Stream& stream, http::H2Request request) override {
        ++running_;
        ++requests_;
        if (const std::uint64_t most = limits_.requests_per_connection_max; most != 0 && requests_ == most) {
            link_.session().drain();
        } else if (most != 0 && requests_ == most + limits_.streams_max) {
            link_.session().drain_now();  // it does not want to hear that we go away
        }
        context_.loop.spawn(serve(stream, std::move(request)), scope_);
    }

    ring::Task<> serve(http::H2Stream& stream, http::H2Request request) {
        {
            ring::Scope scope(scope_);
            H2Client client(context_, link_, stream, std::move(request), facts_, scope);
            Exchange exchange(context_, client, scope);
            co_await exchange.run(client.head()).in(scope);
            exchange.tell();
        }
        if (--running_ == 0 && all_done_) {
            all_done_->set();
        }
    }

    void on_refused(http::H2Stream& stream, http::Reject why) override {
        const Reason reason = reason_of(why);
        context_.count_reason(reason);
        context_.count_status(http::status_of(why));
        std::string id;
        context_.next_request_id(id);
        Answer said;
        make_refusal(said, {.reason = reason, .status = http::status_of(why), .detail = http::sentence_of(why), .request_id = id});
        tell_unread(context_, facts_, {.version = HttpVersion::http2, .reason = reason, .status = http::status_of(why), .request_id = id, .bytes_out = said.body.size()});
        add_date(said.head.headers);
        stream.respond(said.head.status, said.head.headers, false);
        stream.send_own(std::move(said.body), link_.now_ms());
        stream.end();
        stream.release();
        link_.wake();
    }

    void drain() override {
        link_.session().drain();
        link_.wake();
    }

    void count_fault() {
        if (link_.session().fault() != http::H2Fault::none) {
            context_.count_reason(http::code_of(link_.session().fault()) == http::H2Code::enhance_your_calm ? Reason::h2_flood : Reason::h2_protocol);
        }
    }

    Context& context_;
    const fb::LimitsT limits_;
    const ClientFacts facts_;
    const http::H2Settings settings_;
    ring::Scope scope_;
    H2Link link_;
    std::size_t running_ = 0;
    std::uint32_t requests_ = 0;
    std::optional<Event> all_done_;
};

}  // namespace

ring::Task<> serve_http2(Context& context, HttpClient client, std::string first) {
    H2Connection connection(context, std::move(client));
    co_await connection.run(std::move(first));
}

}  // namespace penstock::proxy
