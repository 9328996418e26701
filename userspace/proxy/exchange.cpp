// SPDX-License-Identifier: Apache-2.0
// Where a request goes, and what is said if it goes nowhere. Its bodies are in exchange_bodies.cpp.
#include "userspace/proxy/exchange.hpp"

#include <cerrno>

#include "userspace/match/path.hpp"

namespace penstock::proxy {

namespace {

constexpr std::size_t kRequestIdMax = 128;  // of one that a client made up, in our own answers

// RFC 9110 9.2.2: may be sent again when nobody knows whether it was served.
bool idempotent(std::string_view method) {
    return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "PUT" || method == "DELETE" || method == "TRACE";
}

}  // namespace

http::Limits http_limits(const fb::LimitsT& limits) {
    http::Limits result;
    result.head_bytes_max = limits.header_bytes_max;
    result.headers_max = limits.headers_max;
    result.body_bytes_max = limits.body_bytes_max;
    return result;
}

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

void Exchange::note(const http::RequestHead& head) {
    facts_.method = head.method;
    facts_.minor = head.minor;
    facts_.framing = head.framing;
    facts_.keep_alive = head.keep_alive;
    facts_.upgrade = head.upgrade;
    facts_.json = head.headers.find("accept").value_or("").find("application/json") != std::string_view::npos;
    if (const auto given = head.headers.find("x-request-id")) {
        facts_.id = given->substr(0, kRequestIdMax);
    } else {
        context_.next_request_id(facts_.id);
    }
}

// What is wrong with a request that was parsed. Leaves the normalised path in path_.
std::optional<Reason> Exchange::fault_of(const http::RequestHead& head, std::string_view& detail) {
    const std::uint64_t body_max = tables_->limits.body_bytes_max;
    if (body_max != 0 && head.framing == http::Framing::length && head.content_length > body_max) {
        return Reason::body_too_large;
    }
    // In HTTP/1.0 the field means nothing.
    if (head.minor == 1 && !head.expect_continue && head.headers.has("expect")) {
        return Reason::expectation_failed;
    }
    if (head.form == http::TargetForm::authority) {
        detail = "CONNECT is not served";
        request_broken_ = true;  // what follows may be meant for the tunnel
        return Reason::bad_request;
    }
    if (head.form != http::TargetForm::asterisk && match::needs_normalising(head.path)) {
        auto normal = match::normal_path(head.path);
        if (!normal) {
            detail = "the path climbs above its root";
            return Reason::bad_request;
        }
        path_ = std::move(*normal);
        return std::nullopt;
    }
    path_ = head.path;
    return std::nullopt;
}

// ---- the whole ------------------------------------------------------------------------------------------------------------
ring::Task<bool> Exchange::run(http::RequestHead& head, std::size_t head_in_stream) {
    note(head);
    client_.stream.consume(head_in_stream);
    request_body_ = http::BodyReader(http_limits(tables_->limits));
    request_body_.start(head.framing, head.content_length);
    count(context_.stats.requests_total);

    std::string_view detail;
    if (const auto fault = fault_of(head, detail)) {
        co_return co_await refuse(*fault, detail);
    }
    route_ = route(head);
    if (route_.listener != nullptr) {
        count(context_.listener(route_.listener->id).requests);
        count(context_.listener(route_.listener->id).bytes_in, head_in_stream);
    }
    // RFC 9110 9.3.7: asks what the server as a whole can do, and that is us. No path, so no route.
    if (head.form == http::TargetForm::asterisk && route_.refusal.value_or(Reason::no_route) == Reason::no_route) {
        co_return co_await answer_empty(200);
    }
    if (route_.refusal) {
        co_return co_await refuse(*route_.refusal);
    }
    const fb::RuleT& rule = *route_.rule->spec;
    treatment_.rule = rule.filters.get();
    treatment_.matched_prefix = route_.match->path_match == fb::PathMatch::Prefix ? std::string_view(route_.match->path) : std::string_view();
    if (rule.filters != nullptr && rule.filters->redirect != nullptr) {
        co_return co_await redirect(head, *rule.filters->redirect);
    }
    deadline_ = context_.in_ms(rule.request_ms);
    co_return co_await forward(head);
}

// Only what has a status; the reasons without one end the connection where they arise.
ring::Task<bool> Exchange::refuse(Reason reason, std::string_view detail) {
    context_.count_reason(reason);
    Refusal refusal;
    refusal.reason = reason;
    refusal.status = info(reason).status;
    refusal.detail = detail;
    refusal.request_id = facts_.id;
    refusal.keep_alive = may_keep();
    refusal.json = facts_.json;
    refusal.to_head = facts_.method == "HEAD";
    context_.count_status(refusal.status);
    out_.clear();
    write_refusal(out_, refusal);
    // Not stall_deadline(): the request's own time may be what is up.
    co_return co_await client_.stream.send(out_, context_.in_ms(tables_->limits.body_stall_ms)) == 0 && refusal.keep_alive;
}

ring::Task<bool> Exchange::answer_empty(int status) {
    const bool keep = may_keep();
    out_.clear();
    write_empty(out_, status, keep);
    context_.count_status(status);
    co_return co_await client_.stream.send(out_, stall_deadline()) == 0 && keep;
}

ring::Task<bool> Exchange::redirect(const http::RequestHead& head, const fb::RedirectT& to) {
    const bool keep = may_keep();
    out_.clear();
    write_redirect(out_, head, path_, client_.facts, to, treatment_.matched_prefix, keep);
    context_.count_status(to.status);
    co_return co_await client_.stream.send(out_, stall_deadline()) == 0 && keep;
}

ring::Task<bool> Exchange::forward(http::RequestHead& head) {
    const Choice choice = choose_backend(context_, *route_.rule);
    if (choice.refusal) {
        co_return co_await refuse(*choice.refusal);
    }
    const std::shared_ptr<const BackendSet> set = choice.backend->set;
    if (set->protocol == fb::BackendProtocol::Http2) {
        co_return co_await refuse(Reason::backend_invalid, "the backend speaks HTTP/2 only, which this version does not");
    }
    treatment_.backend = choice.backend->filters;
    std::string request_head;
    request_head.reserve(1024);
    write_request(request_head, head, path_, client_.facts, treatment_, facts_.id);

    // What has come of the body leaves with the head; if that is broken already, nothing leaves and no backend is asked.
    Gather request(head.framing == http::Framing::chunked);
    request.add_text(request_head);
    if (!take_request_body(request)) {
        co_return co_await refuse(*request_fault_, http::sentence_of(request_body_.reject()));
    }
    Attempt done = co_await attempt(request, set, false);
    if (done == Attempt::again) {
        request.clear();  // of which no byte of a body was part
        request.add_text(request_head);
        done = co_await attempt(request, set, true);
    }
    co_return done == Attempt::served;
}

ring::Task<Exchange::Attempt> Exchange::attempt(Gather& request, std::shared_ptr<const BackendSet> set, bool fresh) {
    backend_deadline_ = std::min(deadline_, context_.in_ms(route_.rule->spec->backend_request_ms));
    BackendConnection connection = co_await connect_backend(context_, std::move(set), fresh, backend_deadline_);
    if (!connection.socket.open()) {
        const bool late = connection.error == ETIMEDOUT && context_.loop.now() >= backend_deadline_;
        co_return co_await answer_fault(late ? Reason::backend_timeout : Reason::backend_connect, false);
    }
    backend_ = Stream(std::move(connection.socket));
    backend_head_.clear();
    const bool may_try_again = connection.reused && idempotent(facts_.method);
    if (!co_await send_request(request)) {
        // A fresh one may have said why before it closed.
        if (may_try_again && !request_started_) {
            backend_.close();
            co_return Attempt::again;
        }
    }

    http::ResponseParser parser(http_limits(tables_->limits));
    parser.expect(facts_.method);
    if (const auto fault = co_await read_response_head(parser)) {
        co_await stop_pump();
        backend_.close();
        co_return co_await answer_fault(*fault, may_try_again);
    }
    if (parser.head().status == 101) {
        co_return co_await switch_protocols(parser) ? Attempt::served : Attempt::ended;
    }
    const bool whole = co_await relay(parser);
    co_await stop_pump();
    if (whole && request_body_.complete() && !request_broken_ && parser.head().keep_alive && backend_.data().empty()) {
        keep_backend(connection.endpoint);
    } else {
        backend_.close();
    }
    co_return whole ? Attempt::served : Attempt::ended;
}

// The backend said nothing that the client was told.
ring::Task<Exchange::Attempt> Exchange::answer_fault(Reason fault, bool may_try_again) {
    if (scope_.cancelled() != 0) {
        co_return Attempt::ended;
    }
    if (request_fault_ && info(*request_fault_).status == 0) {  // the client is gone, or dead
        context_.count_reason(*request_fault_);
        co_return Attempt::ended;
    }
    if (fault == Reason::backend_closed && may_try_again && !request_started_ && !request_fault_) {
        co_return Attempt::again;
    }
    if (fault == Reason::backend_timeout && context_.loop.now() >= deadline_) {
        fault = Reason::request_timeout;
    }
    co_return co_await refuse(request_fault_.value_or(fault), http::sentence_of(request_body_.reject())) ? Attempt::served : Attempt::ended;
}

void Exchange::keep_backend(const Endpoint& endpoint) {
    context_.pool.give(endpoint, std::move(backend_.socket()), std::chrono::milliseconds(tables_->limits.backend_idle_ms),
                       tables_->limits.pool_idle_per_backend_max);
}

}  // namespace penstock::proxy
