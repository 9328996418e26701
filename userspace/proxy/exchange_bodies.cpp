// SPDX-License-Identifier: Apache-2.0
// The bytes of one exchange: the request's body to the backend beside the response to the client, each at the pace of its slower side.
#include <cerrno>

#include "userspace/proxy/exchange.hpp"
#include "userspace/proxy/tunnel.hpp"

namespace penstock::proxy {

// ---- the request ------------------------------------------------------------------------------------------------------------
// Takes what is here of the body, as far as it fits into one send. False: it is broken, and request_fault_ says so.
bool Exchange::take_request_body(Gather& gather) {
    std::size_t taken = 0;
    bool rejected = false;
    while (!rejected && !request_body_.complete() && gather.has_room() && (!client_.stream.data().empty() || client_.stream.gather())) {
        const auto piece = request_body_.next(client_.stream.data());
        gather.add_piece(piece.data);
        client_.stream.consume(piece.consumed);
        taken += piece.consumed;
        rejected = piece.progress == http::Progress::rejected;
    }
    request_started_ |= taken > 0 || rejected;
    count(context_.listener(route_.listener->id).bytes_in, taken);
    if (rejected) {
        request_fault_ = reason_of(request_body_.reject());
        request_broken_ = true;
    } else if (request_body_.complete() && facts_.framing == http::Framing::chunked) {
        http::write_last_chunk(last_chunk_, request_body_.trailers());
        gather.add_text(last_chunk_);
    }
    return !rejected;
}

// The head and what was here of the body leave in one send; the rest follows beside the response. False: it could not be sent.
ring::Task<bool> Exchange::send_request(Gather& request) {
    request_moved_ = context_.loop.now();
    const int sent = co_await backend_.send(request.parts(), std::min(backend_deadline_, stall_deadline()));
    if (!request_body_.complete() && sent == 0) {
        pump_scope_.emplace(scope_);
        pump_done_.emplace(context_.loop);
        context_.loop.spawn(pump_request(), *pump_scope_);
    }
    request_broken_ |= sent != 0;
    co_return sent == 0;
}

ring::Task<> Exchange::pump_request() {
    co_await pump_pieces();
    if (request_fault_) {
        backend_.close();  // wakes whoever waits for the answer to half a request
    }
    pump_done_->set();
}

ring::Task<> Exchange::pump_pieces() {
    Gather gather(facts_.framing == http::Framing::chunked);
    while (!request_body_.complete()) {
        if (client_.stream.data().empty()) {
            const int filled = co_await client_.stream.fill(stall_deadline());
            if (filled != 0) {
                request_broken_ = true;
                // Cancelled: the answer was there first.
                if (filled != ECANCELED) {
                    request_fault_ = filled == ETIMEDOUT ? Reason::idle_timeout : Reason::client_closed;
                }
                co_return;
            }
        }
        gather.clear();
        if (!take_request_body(gather)) {
            co_return;
        }
        request_moved_ = context_.loop.now();
        if (co_await backend_.send(gather.parts(), stall_deadline()) != 0) {
            request_broken_ = true;  // the backend may have answered already; its answer decides
            co_return;
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
    const auto stall = std::chrono::milliseconds(tables_->limits.body_stall_ms);
    for (;;) {
        const int filled = co_await backend_.fill(std::min(backend_deadline_, std::max(request_moved_, context_.loop.now()) + stall));
        if (filled == 0) {
            co_return std::nullopt;
        }
        if (filled != ETIMEDOUT) {
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

// The final head, after interim ones were passed on; parser.head() has views into backend_head_ or the stream, until it is filled again.
ring::Task<std::optional<Reason>> Exchange::read_response_head(http::ResponseParser& parser) {
    for (;;) {
        if (backend_.data().empty()) {
            if (const auto fault = co_await wait_for_response()) {
                co_return fault;
            }
        }
        const std::string_view fresh = backend_.data();
        const std::size_t before = backend_head_.size();
        if (before != 0) {
            backend_head_ += fresh;
        }
        const http::Progress progress = parser.parse(before != 0 ? std::string_view(backend_head_) : fresh);
        if (progress == http::Progress::rejected) {
            co_return Reason::backend_invalid;
        }
        if (progress == http::Progress::more) {
            if (before == 0) {
                backend_head_ = fresh;
            }
            backend_.consume(fresh.size());
            continue;
        }
        backend_.consume(parser.size() - before);
        if (!parser.head().interim()) {
            co_return std::nullopt;
        }
        if (!co_await pass_interim(parser)) {
            co_return Reason::client_closed;
        }
    }
}

ring::Task<bool> Exchange::pass_interim(http::ResponseParser& parser) {
    out_.clear();
    write_response(out_, parser.head(), http::Framing::none, true, facts_.minor, treatment_);
    backend_head_.clear();
    parser.reset();
    if (facts_.minor == 0) {
        co_return true;
    }
    const int sent = co_await client_.stream.send(out_, stall_deadline());
    if (sent != 0) {
        request_fault_ = Reason::client_closed;
    }
    co_return sent == 0;
}

// True if the client got an answer and may ask again: only when the switch was refused.
ring::Task<bool> Exchange::switch_protocols(http::ResponseParser& parser) {
    if (!facts_.upgrade || !request_body_.complete()) {
        co_await stop_pump();
        backend_.close();
        co_return co_await refuse(Reason::backend_invalid, "the backend switches protocols, which was not asked for");
    }
    co_await stop_pump();
    out_.clear();
    write_response(out_, parser.head(), http::Framing::none, true, facts_.minor, treatment_);
    context_.count_status(101);
    if (co_await client_.stream.send(out_, stall_deadline()) != 0) {
        context_.count_reason(Reason::client_closed);
        co_return false;
    }
    const TunnelBytes bytes = co_await tunnel(context_, client_.stream, backend_, scope_, tables_->limits);
    count(context_.listener(route_.listener->id).bytes_in, bytes.from_client);
    count(context_.listener(route_.listener->id).bytes_out, bytes.to_client);
    co_return false;
}

// ---- the response's body ------------------------------------------------------------------------------------------------------
ring::Task<bool> Exchange::send_to_client(Gather& gather) {
    if (gather.empty()) {
        co_return true;
    }
    const int sent = co_await client_.stream.send(gather.parts(), stall_deadline());
    count(context_.listener(route_.listener->id).bytes_out, gather.bytes());
    gather.clear();
    if (sent != 0 && sent != ECANCELED) {
        context_.count_reason(sent != ETIMEDOUT ? Reason::client_closed : context_.loop.now() >= deadline_ ? Reason::request_timeout : Reason::idle_timeout);
    }
    co_return sent == 0;
}

// The backend's stream ended with `error` in the middle of a body.
void Exchange::count_broken(int error) {
    if (request_fault_) {
        context_.count_reason(*request_fault_);
    } else if (error == ETIMEDOUT) {
        context_.count_reason(context_.loop.now() >= deadline_ ? Reason::request_timeout : Reason::backend_timeout);
    } else if (error != ECANCELED) {
        context_.count_reason(Reason::backend_closed);
    }
}

// True: the body was passed on whole and the client's connection can go on.
ring::Task<bool> Exchange::relay(http::ResponseParser& parser) {
    http::ResponseHead& head = parser.head();
    http::BodyReader body(http::Limits{});
    body.start(head.framing, head.content_length);
    http::Framing framing = head.framing;
    if (framing == http::Framing::until_close || framing == http::Framing::chunked) {
        framing = facts_.minor == 1 ? http::Framing::chunked : http::Framing::until_close;
    }
    const bool keep = may_keep() && framing != http::Framing::until_close;
    context_.count_status(head.status);
    out_.clear();
    write_response(out_, head, framing, keep, facts_.minor, treatment_);

    std::string tail;
    Gather gather(framing == http::Framing::chunked);
    gather.add_text(out_);
    for (bool whole = body.complete(); !whole;) {
        while (!whole && gather.has_room() && (!backend_.data().empty() || backend_.gather())) {
            const auto piece = body.next(backend_.data());
            backend_.consume(piece.consumed);
            gather.add_piece(piece.data);
            if (piece.progress == http::Progress::rejected) {
                context_.count_reason(Reason::backend_invalid);
                client_.stream.abort();
                co_return false;
            }
            whole = body.complete();
        }
        if (whole) {
            break;
        }
        if (!co_await send_to_client(gather)) {
            client_.stream.abort();
            co_return false;
        }
        if (!backend_.data().empty()) {
            continue;
        }
        const int filled = co_await backend_.fill(std::min(stall_deadline(), backend_deadline_));
        whole = filled == kEnded && body.end() == http::Progress::done;  // of until_close only
        if (filled != 0 && !whole) {
            count_broken(filled);
            client_.stream.abort();  // the client has half an answer: only a broken connection tells it so
            co_return false;
        }
    }
    if (framing == http::Framing::chunked) {
        http::write_last_chunk(tail, body.trailers());
        gather.add_text(tail);
    }
    co_return co_await send_to_client(gather) && keep;
}

}  // namespace penstock::proxy
