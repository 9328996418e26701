// SPDX-License-Identifier: Apache-2.0
// The bytes of one exchange: the request's body to the backend beside the response to the client, each at the pace of its slower side.
#include <cerrno>

#include "userspace/proxy/exchange.hpp"
#include "userspace/proxy/tunnel.hpp"
#include "userspace/proxy/websocket.hpp"

namespace penstock::proxy {

namespace {

// RFC 9110 7.8: a server must not switch to what the client did not name.
bool names_only(const http::Headers& answer, std::string_view asked) {
    bool some = false;
    bool all = true;
    http::for_each_token(answer.find("upgrade").value_or(""), [&](std::string_view named) {
        some = true;
        bool found = false;
        http::for_each_token(asked, [&](std::string_view protocol) { found |= http::equals_ignoring_case(named, protocol); });
        all &= found;
    });
    return some && all;
}

}  // namespace

// ---- the request ------------------------------------------------------------------------------------------------------------
// The head and what is here of the body leave in one send; the rest follows beside the response. False: it could not be sent.
ring::Task<bool> Exchange::send_request(const Outgoing& request) {
    backend_->start(request);
    moved_in(move_pieces(body_, *backend_));
    const bool whole = body_.complete();
    if (whole) {
        backend_->end(body_.trailers());
    }
    request_moved_ = context_.loop.now();
    if (!route_.rule->spec->grpc()) {  // a client that streams may have little to say
        pace_.start(std::chrono::milliseconds(limits().body_stall_ms));
    }
    const int sent = co_await backend_->flush(std::min(backend_deadline_, stall_deadline()));
    if (!whole && sent == 0) {
        pump_scope_.emplace(scope_);
        pump_done_.emplace(context_.loop);
        context_.loop.spawn(pump_request(), *pump_scope_);
    }
    request_broken_ |= sent != 0;
    if (whole) {
        mirroring_.send(context_, body_);
    }
    co_return sent == 0;
}

ring::Task<> Exchange::pump_request() {
    co_await pump_pieces();
    if (request_fault_) {
        backend_->close();  // wakes whoever waits for the answer to half a request
    }
    pump_done_->set();
}

ring::Task<> Exchange::pump_pieces() {
    for (bool whole = false; !whole;) {
        const std::size_t moved = move_pieces(body_, *backend_);
        if (body_.reject() != http::Reject::none) {
            request_fault_ = reason_of(body_.reject());
            request_broken_ = true;
            co_return;
        }
        whole = body_.complete();
        if (moved == 0 && !whole && can_splice(body_, *backend_)) {
            const Spliced spliced = co_await splice(context_, body_, *backend_, patience());
            request_moved_ = spliced.bytes != 0 ? context_.loop.now() : request_moved_;
            pace_.moved(static_cast<std::size_t>(spliced.bytes));
            moved_in(spliced.bytes);
            request_broken_ |= spliced.error != 0;
            if (spliced.error != 0) {
                co_return;
            }
            if (body_.complete()) {
                continue;
            }
        }
        if (moved == 0 && !whole) {
            const ring::Time since = context_.loop.now();
            const ring::Time stalled = stall_deadline();
            const int waited = co_await body_.wait(std::min(stalled, pace_.deadline(since)));
            const ring::Time now = context_.loop.now();
            pace_.waited(now - since);
            if (waited == ETIMEDOUT && now < stalled && !pace_.holds()) {
                continue;  // it was answered meanwhile
            }
            if (waited != 0) {
                request_broken_ = true;
                // Cancelled: the answer was there first.
                if (waited != ECANCELED) {
                    request_fault_ = waited != ETIMEDOUT ? Reason::client_closed
                                     : now < stalled     ? Reason::body_too_slow
                                     : now >= deadline_  ? Reason::request_timeout
                                                         : Reason::idle_timeout;
                }
                co_return;
            }
            continue;
        }
        request_moved_ = context_.loop.now();
        pace_.moved(moved);
        moved_in(moved);
        if (whole) {
            backend_->end(body_.trailers());
        }
        if (co_await backend_->flush(stall_deadline()) != 0) {
            request_broken_ = true;  // the backend may have answered already; its answer decides
            co_return;
        }
        if (whole) {
            mirroring_.send(context_, body_);
        }
    }
}

ring::Task<> Exchange::stop_pump() {
    if (pump_done_) {
        if (!pump_done_->is_set()) {
            pump_scope_->cancel();
            Event& done = *pump_done_;  // GCC 12 would copy what `*` gives
            co_await done;
            request_broken_ = true;
        }
        pump_done_.reset();
        pump_scope_.reset();
    }
}

// ---- the response's head ------------------------------------------------------------------------------------------------------
// More bytes of the backend. A body that is still on its way puts the answer off.
ring::Task<std::optional<Reason>> Exchange::wait_for_response() {
    const auto stall = std::chrono::milliseconds(limits().body_stall_ms);
    for (;;) {
        const int waited = co_await backend_->body().wait(std::min(backend_deadline_, std::max(request_moved_, context_.loop.now()) + stall));
        if (waited == 0) {
            co_return std::nullopt;
        }
        if (waited != ETIMEDOUT) {
            co_return Reason::backend_closed;
        }
        // While the client sends, its own stall is what ends it: both clocks may strike at once.
        const bool sending = pump_done_ && !pump_done_->is_set();
        const ring::Time now = context_.loop.now();
        if (now >= backend_deadline_ || (!sending && now >= request_moved_ + stall)) {
            co_return Reason::backend_timeout;
        }
    }
}

// The final head, after interim ones were passed on.
ring::Task<std::optional<Reason>> Exchange::read_response_head() {
    for (;;) {
        const http::Progress progress = backend_->read_head();
        if (progress == http::Progress::rejected) {
            co_return Reason::backend_invalid;
        }
        if (progress == http::Progress::more) {
            if (const auto fault = co_await wait_for_response()) {
                co_return fault;
            }
            continue;
        }
        if (!backend_->head().interim()) {
            co_return std::nullopt;
        }
        if (++interims_ > kInterimMax) {
            co_return Reason::backend_invalid;
        }
        if (!co_await pass_interim()) {
            co_return Reason::client_closed;
        }
    }
}

ring::Task<bool> Exchange::pass_interim() {
    prepare_response(backend_->head(), treatment_);
    client_.interim(backend_->head());
    const int sent = co_await client_.flush(stall_deadline());
    if (sent != 0) {
        request_fault_ = Reason::client_closed;
    }
    co_return sent == 0;
}

// What of the final head is no answer to what was asked about an upgrade; empty: nothing.
std::string_view Exchange::upgrade_fault(const Outgoing& request) const {
    const http::ResponseHead& head = backend_->head();
    if (head.status != 101) {
        const bool success = head.status >= 200 && head.status < 300;
        return extended_connect() && success ? "the backend does not switch protocols, and its answer would be taken for a tunnel" : "";
    }
    if (!facts_.upgrade || !body_.complete()) {
        return "the backend switches protocols, which was not asked for";
    }
    if (!names_only(head.headers, request.upgrade)) {
        return "the backend switches to another protocol than was asked for";
    }
    if (extended_connect()) {  // nobody behind us looks at it (RFC 6455 4.1)
        const std::string_view key = request.headers.find("sec-websocket-key").value_or("");
        if (!head.headers.has_token("connection", "upgrade") || head.headers.find("sec-websocket-accept") != websocket_accept_of(key)) {
            return "the backend's answer belongs to another WebSocket handshake";
        }
    }
    return {};
}

ring::Task<> Exchange::switch_protocols() {
    co_await stop_pump();
    prepare_response(backend_->head(), treatment_);
    session_.tell(backend_->head().headers, claim_.endpoint(), 101);
    client_.start_tunnel(backend_->head());
    backend_->start_tunnel();
    told_status(101);
    if (!co_await send_to_client()) {
        client_.abort();
        co_return;
    }
    const TunnelBytes bytes = co_await tunnel(context_, {client_.body(), client_}, {backend_->body(), *backend_}, scope_, limits());
    if (bytes.broken) {
        client_.abort();
    }
    backend_->close();
    moved_in(bytes.from_client);
    moved_out(bytes.to_client);
}

// ---- the response's body ------------------------------------------------------------------------------------------------------
ring::Task<bool> Exchange::send_to_client() {
    const int sent = co_await client_.flush(stall_deadline());
    co_return sent_to_client(sent);
}

bool Exchange::sent_to_client(int error) {
    moved_out(client_.bytes_sent() - bytes_told_);
    bytes_told_ = client_.bytes_sent();
    if (error != 0 && error != ECANCELED) {
        failed(error != ETIMEDOUT ? Reason::client_closed : context_.loop.now() >= deadline_ ? Reason::request_timeout : Reason::idle_timeout);
    }
    return error == 0;
}

// The backend's stream ended with `error` in the middle of a body.
void Exchange::count_broken(int error) {
    if (request_fault_) {
        failed(*request_fault_);
    } else if (error == ETIMEDOUT) {
        failed(context_.loop.now() >= deadline_ ? Reason::request_timeout : Reason::backend_timeout);
    } else if (error != ECANCELED) {
        failed(Reason::backend_closed);
    }
}

// True: the body was passed on whole.
ring::Task<bool> Exchange::relay() {
    http::ResponseHead& head = backend_->head();
    BodySource& body = backend_->body();
    pace_.stop();
    prepare_response(head, treatment_);
    session_.tell(head.headers, claim_.endpoint(), head.status);
    told_status(head.status);
    client_.start(head, context_.draining || request_broken_);
    for (bool queued = true;;) {
        queued |= move_pieces(body, client_) > 0;
        if (body.reject() != http::Reject::none) {
            failed(Reason::backend_invalid);
            break;
        }
        if (body.complete()) {
            client_.end(body.trailers());
            if (!co_await send_to_client()) {
                break;
            }
            co_return true;
        }
        if (queued) {
            if (!co_await send_to_client()) {
                break;
            }
            queued = false;  // more may have come meanwhile
            continue;
        }
        if (can_splice(body, client_)) {
            const Spliced spliced = co_await splice(context_, body, client_, patience());
            if (!sent_to_client(spliced.error)) {
                break;
            }
            if (body.complete()) {
                continue;
            }
        }
        const int waited = co_await body.wait(std::min(stall_deadline(), backend_deadline_));
        if (waited != 0) {
            count_broken(waited);
            break;
        }
    }
    client_.abort();
    co_return false;
}

}  // namespace penstock::proxy
