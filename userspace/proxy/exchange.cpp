// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/exchange.hpp"

#include <fmt/format.h>

#include <cerrno>

#include "userspace/match/path.hpp"
#include "userspace/proxy/tunnel.hpp"

namespace penstock::proxy {

namespace {

// RFC 9110 9.2.2: may be sent again when nobody knows whether it was served.
bool idempotent(std::string_view method) {
    return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "PUT" || method == "DELETE" || method == "TRACE";
}

std::string_view as_text(const iovec& part) { return {static_cast<const char*>(part.iov_base), part.iov_len}; }
iovec part_of(std::string_view text) { return {const_cast<char*>(text.data()), text.size()}; }

http::Limits http_limits(const fb::LimitsT& limits) {
    http::Limits result;
    result.head_bytes_max = limits.header_bytes_max;
    result.headers_max = limits.headers_max;
    result.body_bytes_max = limits.body_bytes_max;
    return result;
}

}  // namespace

ring::Time Exchange::stall_deadline() const { return std::min(deadline_, context_.in_ms(tables_->limits.body_stall_ms)); }

// ---- where it goes ------------------------------------------------------------------------------------------------------
Route Exchange::route(http::RequestHead& head) {
    Route found;
    const auto port = tables_->ports.find(client_.socket);
    const std::string host = match::normal_host(head.host);
    const Listener* const* listener = port == tables_->ports.end() ? nullptr : port->second.listeners.find(host);
    if (listener == nullptr) {
        found.refusal = Reason::no_host;
        return found;
    }
    found.listener = *listener;
    // Gateway API, 5.4: a request whose host belongs to another listener than the one that its SNI chose is misdirected.
    if (!client_.tls_listener.empty() && found.listener->name != client_.tls_listener) {
        found.refusal = Reason::misdirected;
        return found;
    }
    const match::Request request{head.method, path_, head.query, [&head](std::string_view name) { return head.headers.joined(name); }};
    bool has_host = false;
    found.listener->hosts.visit(host, [&](const std::shared_ptr<const Host>& candidate) {
        has_host = true;
        const auto match = candidate->table->find(request);
        if (!match) {
            return false;
        }
        found.host = candidate;
        found.rule = &candidate->rules[match->rule];
        found.match = match->entry;
        return true;
    });
    if (found.rule == nullptr) {
        found.refusal = has_host ? Reason::no_route : Reason::no_host;
    }
    return found;
}

// ---- the whole ------------------------------------------------------------------------------------------------------------
ring::Task<bool> Exchange::run(http::RequestHead& head, http::RequestParser& parser, std::size_t head_in_stream) {
    tables_ = context_.tables;
    facts_ = {std::string(head.method), head.minor, head.framing, head.content_length, head.keep_alive, head.upgrade, {}};
    facts_.id = head.headers.has("x-request-id") ? std::string(*head.headers.find("x-request-id"))
                                                 : fmt::format("{:x}-{:x}", reinterpret_cast<std::uintptr_t>(&context_) >> 4 & 0xffffff, ++context_.request_ids);
    static_cast<void>(parser);
    client_.stream.consume(head_in_stream);
    request_body_ = http::BodyReader(http_limits(tables_->limits));
    request_body_.start(head.framing, head.content_length);
    count(context_.stats.requests_total);

    if (tables_->limits.body_bytes_max != 0 && head.framing == http::Framing::length && head.content_length > tables_->limits.body_bytes_max) {
        co_return co_await refuse(&head, Reason::body_too_large);
    }
    path_ = std::string(head.path);
    if (head.form == http::TargetForm::authority) {
        co_return co_await refuse(&head, Reason::bad_request, "CONNECT is not served");
    }
    if (head.form != http::TargetForm::asterisk && match::needs_normalising(path_)) {
        auto normal = match::normal_path(path_);
        if (!normal) {
            co_return co_await refuse(&head, Reason::bad_request, "the path climbs above its root");
        }
        path_ = std::move(*normal);
    }
    route_ = route(head);
    if (route_.listener != nullptr) {
        count(context_.listener(route_.listener->id).requests);
    }
    if (route_.refusal) {
        co_return co_await refuse(&head, *route_.refusal);
    }
    const fb::RuleT& rule = *route_.rule->spec;
    treatment_.rule = rule.filters.get();
    treatment_.matched_prefix = route_.match->path_match == fb::PathMatch::Prefix ? std::string_view(route_.match->path) : std::string_view();
    if (rule.filters != nullptr && rule.filters->redirect != nullptr) {
        const bool keep = facts_.keep_alive && !context_.draining && request_body_.complete();
        out_.clear();
        write_redirect(out_, head, path_, client_.facts, *rule.filters->redirect, treatment_.matched_prefix, keep);
        count(context_.stats.status_class[3]);
        co_return co_await client_.stream.send(out_, stall_deadline()) == 0 && keep;
    }
    deadline_ = context_.in_ms(rule.request_ms);
    co_return co_await forward(head);
}

ring::Task<bool> Exchange::refuse(const http::RequestHead* head, Reason reason, std::string_view detail) {
    context_.count_reason(reason);
    const int status = info(reason).status;
    count(context_.stats.status_class[static_cast<std::size_t>(status / 100)]);
    const bool keep = head != nullptr && facts_.keep_alive && !context_.draining && request_body_.complete();
    out_.clear();
    write_refusal(out_, head, reason, status, detail, facts_.id, keep);
    // Not stall_deadline(): the request's own time may be what is up.
    co_return co_await client_.stream.send(out_, context_.in_ms(tables_->limits.body_stall_ms)) == 0 && keep;
}

ring::Task<bool> Exchange::forward(http::RequestHead& head) {
    const Rule& rule = *route_.rule;
    const Choice choice = choose_backend(context_, rule);
    if (choice.refusal) {
        co_return co_await refuse(&head, *choice.refusal);
    }
    const WeightedBackend& chosen = *choice.backend;
    if (chosen.set->protocol == fb::BackendProtocol::Http2) {
        co_return co_await refuse(&head, Reason::backend_invalid, "the backend speaks HTTP/2 only, which this version does not");
    }
    treatment_.backend = chosen.filters;
    const http::RequestHead original = head;  // write_request takes headers away; a refusal looks at them
    std::string request_head;
    write_request(request_head, head, path_, client_.facts, treatment_, facts_.id);
    const std::shared_ptr<const BackendSet> set = chosen.set;

    for (int attempts = 0;; ++attempts) {
        const auto done = co_await attempt(request_head, set, attempts > 0);
        if (done) {
            co_return *done;
        }
        // Closed under us before it answered: once more on a fresh connection, if that is safe.
        if (attempts > 0 || request_started_ || !idempotent(facts_.method)) {
            co_return co_await refuse(request_started_ ? nullptr : &original, Reason::backend_closed);
        }
    }
}

// Nothing: the backend closed before it answered, and nothing was said to the client.
ring::Task<std::optional<bool>> Exchange::attempt(const std::string& request_head, std::shared_ptr<const BackendSet> set, bool fresh) {
    backend_deadline_ = std::min(deadline_, context_.in_ms(route_.rule->spec->backend_request_ms));
    BackendConnection connection = co_await connect_backend(context_, std::move(set), fresh, backend_deadline_);
    if (!connection.socket.open()) {
        const bool late = connection.error == ETIMEDOUT && context_.loop.now() >= backend_deadline_;
        const Reason reason = late ? (context_.loop.now() >= deadline_ ? Reason::request_timeout : Reason::backend_timeout) : Reason::backend_connect;
        co_return co_await refuse(nullptr, reason);
    }
    backend_ = Stream(std::move(connection.socket));
    backend_head_.clear();

    // Head and what is here of the body leave in one send.
    http::BodyReader::Piece first;
    if (facts_.framing == http::Framing::length && !client_.stream.data().empty()) {
        first = request_body_.next(client_.stream.data());
        request_started_ = first.consumed > 0;
    }
    iovec parts[2] = {part_of(request_head), part_of(first.data)};
    const int sent = co_await backend_.send(std::span(parts, first.data.empty() ? 1 : 2), std::min(backend_deadline_, stall_deadline()));
    client_.stream.consume(first.consumed);
    if (sent != 0 && connection.reused && !request_started_) {
        co_return std::nullopt;
    }
    if (!request_body_.complete()) {
        pump_scope_.emplace(scope_);
        pump_done_.emplace(context_.loop);
        context_.loop.spawn(pump_request(), *pump_scope_);
    }

    http::ResponseParser parser(http_limits(tables_->limits));
    parser.expect(facts_.method);
    const auto fault = co_await read_response_head(parser);
    if (fault == Reason::backend_closed && !request_started_ && connection.reused && !request_fault_) {
        co_await stop_pump();
        co_return std::nullopt;
    }
    if (fault) {
        co_await stop_pump();
        backend_.close();
        if (request_fault_ == Reason::client_closed || scope_.cancelled() != 0) {
            context_.count_reason(Reason::client_closed);
            co_return false;
        }
        co_return co_await refuse(nullptr, request_fault_.value_or(*fault));
    }
    if (parser.head().status == 101) {
        out_.clear();
        write_response(out_, parser.head(), http::Framing::none, true, facts_.minor, treatment_);
        backend_.consume(parser.size());
        if (co_await client_.stream.send(out_, stall_deadline()) == 0) {
            co_await tunnel(context_, client_.stream, backend_, scope_, tables_->limits);
        }
        co_return false;
    }
    const bool whole = co_await relay(parser);
    co_await stop_pump();
    const bool request_whole = request_body_.complete() && !request_broken_;
    if (whole && request_whole && parser.head().keep_alive && backend_.data().empty()) {
        context_.pool.give(connection.endpoint, std::move(backend_.socket()), std::chrono::milliseconds(tables_->limits.backend_idle_ms),
                           tables_->limits.pool_idle_per_backend_max);
    } else {
        backend_.close();
    }
    co_return whole && request_whole && facts_.keep_alive && !context_.draining && out_ != "close";
}

// ---- the request's body -----------------------------------------------------------------------------------------------------
ring::Task<int> Exchange::send_piece(Stream& to, http::Framing framing, std::string_view data, ring::Time deadline) {
    if (framing != http::Framing::chunked) {
        co_return co_await to.send(data, deadline);
    }
    const http::ChunkHead head(data.size());
    iovec parts[] = {part_of(head.view()), part_of(data), part_of(http::kChunkEnd)};
    co_return co_await to.send(std::span(parts), deadline);
}

ring::Task<> Exchange::pump_request() {
    while (!request_body_.complete()) {
        if (client_.stream.data().empty()) {
            const int filled = co_await client_.stream.fill(stall_deadline());
            if (filled != 0) {
                request_fault_ = filled == ETIMEDOUT ? Reason::idle_timeout : Reason::client_closed;
                request_broken_ = true;
                break;
            }
        }
        const auto piece = request_body_.next(client_.stream.data());
        request_started_ |= piece.consumed > 0;
        int sent = 0;
        if (!piece.data.empty()) {
            sent = co_await send_piece(backend_, facts_.framing, piece.data, stall_deadline());
        }
        client_.stream.consume(piece.consumed);
        if (piece.progress == http::Progress::rejected) {
            request_fault_ = request_body_.reject() == http::Reject::body_too_large ? Reason::body_too_large : Reason::bad_request;
            request_broken_ = true;
            break;
        }
        if (sent != 0) {
            request_broken_ = true;  // the backend may have answered already; its answer decides
            break;
        }
    }
    if (!request_broken_ && facts_.framing == http::Framing::chunked) {
        std::string last;
        http::write_last_chunk(last, request_body_.trailers());
        request_broken_ = co_await backend_.send(last, stall_deadline()) != 0;
    }
    if (request_fault_) {
        backend_.close();  // wakes whoever waits for the answer to half a request
    }
    pump_done_->set();
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

// ---- the response -------------------------------------------------------------------------------------------------------------
// The final head, after interim ones were passed on; parser.head() has views into backend_head_ or the stream.
ring::Task<std::optional<Reason>> Exchange::read_response_head(http::ResponseParser& parser) {
    const ring::Time by = std::min(backend_deadline_, context_.in_ms(tables_->limits.body_stall_ms));
    for (;;) {
        if (backend_.data().empty()) {
            if (!backend_.socket().open()) {
                co_return Reason::backend_closed;
            }
            const int filled = co_await backend_.fill(by);
            if (filled == ETIMEDOUT) {
                co_return context_.loop.now() >= deadline_ ? Reason::request_timeout : Reason::backend_timeout;
            }
            if (filled != 0) {
                co_return Reason::backend_closed;
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
        if (!parser.head().interim()) {
            // What is left of the head is still in the stream; relay() drops it once the views are used.
            backend_.consume(parser.size() - before);
            co_return std::nullopt;
        }
        out_.clear();
        write_response(out_, parser.head(), http::Framing::none, true, facts_.minor, treatment_);
        backend_.consume(parser.size() - before);
        backend_head_.clear();
        parser.reset();
        if (facts_.minor == 1) {
            co_await client_.stream.send(out_, stall_deadline());
        }
    }
}

// True: the body was passed on whole. Leaves "close" in out_ if the client's connection ends with it.
ring::Task<bool> Exchange::relay(http::ResponseParser& parser) {
    http::ResponseHead& head = parser.head();
    http::BodyReader body(http::Limits{});
    body.start(head.framing, head.content_length);
    http::Framing framing = head.framing;
    if (framing == http::Framing::until_close || framing == http::Framing::chunked) {
        framing = facts_.minor == 1 ? http::Framing::chunked : http::Framing::until_close;
    }
    const bool request_whole = request_body_.complete();
    const bool keep = facts_.keep_alive && !context_.draining && framing != http::Framing::until_close && request_whole;
    count(context_.stats.status_class[static_cast<std::size_t>(head.status / 100) % 8]);
    out_.clear();
    write_response(out_, head, framing, keep, facts_.minor, treatment_);

    std::string tail;
    bool first = true;
    for (;;) {
        http::BodyReader::Piece piece;
        if (!body.complete()) {
            piece = body.next(backend_.data());
        }
        if (piece.progress == http::Progress::rejected) {
            context_.count_reason(Reason::backend_invalid);
            break;
        }
        if (body.complete() && framing == http::Framing::chunked) {
            http::write_last_chunk(tail, body.trailers());
        }
        // Head, chunk and end leave together.
        iovec parts[5];
        std::size_t used = 0;
        const http::ChunkHead chunk(std::max<std::size_t>(piece.data.size(), 1));
        const bool chunked = framing == http::Framing::chunked && !piece.data.empty();
        for (const std::string_view text : {first ? std::string_view(out_) : std::string_view(), chunked ? chunk.view() : std::string_view(), piece.data,
                                            chunked ? http::kChunkEnd : std::string_view(), std::string_view(tail)}) {
            if (!text.empty()) {
                parts[used++] = part_of(text);
            }
        }
        if (used != 0) {
            std::size_t bytes = 0;
            for (std::size_t i = 0; i < used; ++i) {
                bytes += as_text(parts[i]).size();
            }
            answered_ = true;
            if (co_await client_.stream.send(std::span(parts, used), stall_deadline()) != 0) {
                context_.count_reason(Reason::client_closed);
                break;
            }
            count(context_.listener(route_.listener->id).bytes_out, bytes);
        }
        first = false;
        backend_.consume(piece.consumed);
        if (body.complete()) {
            out_ = keep ? "" : "close";
            co_return true;
        }
        if (!backend_.data().empty()) {
            continue;
        }
        const int filled = co_await backend_.fill(std::min(stall_deadline(), backend_deadline_));
        if (filled == kEnded && body.end() == http::Progress::done) {
            // Only until_close ends so; as chunks it still needs its last one.
            tail.clear();
            if (framing == http::Framing::chunked) {
                http::write_last_chunk(tail, body.trailers());
            }
            const int sent = tail.empty() ? 0 : co_await client_.stream.send(tail, stall_deadline());
            out_ = keep ? "" : "close";
            co_return sent == 0;
        }
        if (filled != 0) {
            context_.count_reason(filled == ETIMEDOUT ? Reason::backend_timeout : Reason::backend_closed);
            break;
        }
    }
    // The client has half an answer: only the end of the connection tells it so.
    client_.stream.abort();
    out_ = "close";
    co_return false;
}

}  // namespace penstock::proxy
