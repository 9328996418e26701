// SPDX-License-Identifier: Apache-2.0
// Where a request goes, and what is said if it goes nowhere. Its bodies are in exchange_bodies.cpp.
#include "userspace/proxy/exchange.hpp"

#include <algorithm>
#include <cerrno>

#include "userspace/match/path.hpp"

namespace penstock::proxy {

namespace {

constexpr std::uint32_t kTriesMax = 2;      // beyond the first, where only the connection was to blame

// Of the Unix clock, which other nodes have, too.
std::uint32_t seconds_now() {
    return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count());
}

}  // namespace

// ---- what is told of it -----------------------------------------------------------------------------------------------------
void Exchange::told_status(int status) {
    context_.count_status(status);
    record_.status = status;
}

void Exchange::failed(Reason reason) {
    context_.count_reason(reason);
    record_.fail(reason);
}

void Exchange::moved_in(std::uint64_t bytes) {
    if (route_.listener != nullptr) {
        count(listener_stats().bytes_in, bytes);
    }
    record_.bytes_in += bytes;
}

void Exchange::moved_out(std::uint64_t bytes) {
    if (route_.listener != nullptr) {
        count(listener_stats().bytes_out, bytes);
    }
    record_.bytes_out += bytes;
}

void Exchange::tell() {
    if (scope_.cancelled() != 0) {
        record_.fail(Reason::client_closed);  // was counted by whoever cancelled
    }
    count_attempt(context_, record_);
    proxy::tell(context_, record_);
}

ring::Time Exchange::stall_deadline() const { return std::min(deadline_, context_.in_ms(limits().body_stall_ms)); }

// ---- where it goes ------------------------------------------------------------------------------------------------------
void Exchange::note(const http::RequestHead& head) {
    facts_.method = head.method;
    facts_.upgrade = head.upgrade;
    facts_.has_body = head.framing != http::Framing::none;
    facts_.language = language_of(head, client_.version());
    if (const auto given = head.headers.find("x-request-id"); given && is_request_id(*given)) {
        facts_.id = *given;
    } else {
        context_.next_request_id(facts_.id);
    }
    begin(context_, record_, *tables_, client_, head, facts_.id);
}

// What is wrong with a request that was parsed. Leaves the normalised path in path_.
std::optional<Reason> Exchange::fault_of(const http::RequestHead& head, std::string_view& detail) {
    // In HTTP/1.0 the field means nothing.
    if (head.minor == 1 && !head.expect_continue && head.headers.has("expect")) {
        return Reason::expectation_failed;
    }
    if (head.form == http::TargetForm::authority) {
        detail = "CONNECT is not served";
        request_broken_ = true;  // what follows may be meant for the tunnel
        return Reason::bad_request;
    }
    const auto normal = match::normal_path(head.path, path_room_);
    if (!normal) {
        detail = "the path climbs above its root, or by a step that not every server sees";
        return Reason::bad_request;
    }
    path_ = *normal;
    return std::nullopt;
}

// ---- the whole ------------------------------------------------------------------------------------------------------------
ring::Task<> Exchange::run(const http::RequestHead& head) {
    note(head);
    count(context_.stats.requests_total);

    std::string_view detail;
    if (const auto fault = fault_of(head, detail)) {
        co_return co_await refuse(*fault, detail);
    }
    if (extended_connect() && head.headers.find("upgrade") != "websocket") {  // RFC 9220 3
        co_return co_await refuse(Reason::bad_request, "no protocol but websocket is served by an extended CONNECT", 501);
    }
    route_ = find_route(*tables_, client_.facts(), head, path_);
    record_.listener = route_.listener;
    record_.rule = route_.rule;
    record_.match = route_.match;
    if (route_.listener != nullptr) {
        count(listener_stats().requests);
    }
    moved_in(client_.head_bytes());
    // RFC 9110 9.3.7: asks what the server as a whole can do, and that is us. No path, so no route.
    if (head.form == http::TargetForm::asterisk && route_.refusal.value_or(Reason::no_route) == Reason::no_route) {
        co_return co_await answer_options();
    }
    if (route_.refusal) {
        co_return co_await refuse(*route_.refusal);
    }
    const fb::RuleT& rule = *route_.rule->spec;
    treatment_.rule = rule.filters.get();
    treatment_.trusted_hops = route_.listener->trusted_hops;
    treatment_.via = route_.listener->via;
    treatment_.version = client_.version();
    treatment_.matched_prefix = route_.match->path_match == fb::PathMatch::Prefix ? std::string_view(route_.match->path) : std::string_view();
    if (route_.rule->cors != nullptr) {
        cors_ = {.cors = route_.rule->cors.get(), .origin = std::string(route_.rule->cors->allowed_origin(head))};
        treatment_.cors = &cors_;
        if (route_.preflight) {
            co_return co_await answer_preflight(head);
        }
    }
    if (rule.filters != nullptr && rule.filters->redirect != nullptr) {
        co_return co_await redirect(head, *rule.filters->redirect);
    }
    if (hops_left(head) == 0) {
        co_return co_await answer_last(head);
    }
    deadline_ = context_.in_ms(rule.request_ms);
    co_await forward(head);
    mirroring_.end(context_, body_);
}

// ---- answers of our own ---------------------------------------------------------------------------------------------------
ring::Task<> Exchange::answer(const Answer& answer, ring::Time deadline) {
    told_status(answer.head.status);
    client_.start(answer.head, context_.draining || request_broken_);
    if (!answer.body.empty()) {
        client_.add(answer.body);
    }
    client_.end({});
    if (!client_.body().complete()) {
        client_.leave_body();
    }
    static_cast<void>(co_await client_.flush(deadline));
    moved_out(client_.bytes_sent());
}

// Only what has a status; the reasons without one end the connection where they arise.
ring::Task<> Exchange::refuse(Reason reason, std::string_view detail, int status) {
    failed(reason);
    Answer said;
    make_refusal(said, {.reason = reason, .status = status != 0 ? status : info(reason).status, .detail = detail, .request_id = facts_.id, .language = facts_.language, .to_head = facts_.method == "HEAD"});
    if (treatment_.cors != nullptr) {
        cors_.cors->edit_response(said.head.headers, cors_.origin, cors_.exposed);
    }
    // Not stall_deadline(): the request's own time may be what is up.
    co_await answer(said, context_.in_ms(limits().body_stall_ms));
}

ring::Task<> Exchange::redirect(const http::RequestHead& head, const fb::RedirectT& to) {
    Answer said;
    make_redirect(said, head, path_, client_.facts(), to, treatment_.matched_prefix);
    if (treatment_.cors != nullptr) {
        cors_.cors->edit_response(said.head.headers, cors_.origin, cors_.exposed);
    }
    co_await answer(said, stall_deadline());
}

ring::Task<> Exchange::answer_options() {
    Answer said;
    said.head.status = 200;
    said.head.headers.add("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    said.head.headers.add("Content-Length", "0");
    if (treatment_.cors != nullptr) {
        cors_.cors->edit_response(said.head.headers, cors_.origin, cors_.exposed);
    }
    co_await answer(said, stall_deadline());
}

// RFC 9110 7.6.2: it goes no further, and we answer.
ring::Task<> Exchange::answer_last(const http::RequestHead& head) {
    if (head.method == "TRACE") {  // its answer would show what proxies before us have added
        co_return co_await refuse(Reason::bad_request, "TRACE with Max-Forwards: 0 ends here, and is not answered", 501);
    }
    co_await answer_options();
}

ring::Task<> Exchange::answer_preflight(const http::RequestHead& head) {
    if (cors_.origin.empty()) {
        co_return co_await refuse(Reason::cors_origin);
    }
    Answer said;
    cors_.cors->answer_preflight(said, head, cors_.origin);
    co_await answer(said, stall_deadline());
}

// ---- attempts -------------------------------------------------------------------------------------------------------------
ring::Task<> Exchange::forward(const http::RequestHead& head) {
    const std::uint64_t body_max = limits().body_bytes_max;
    if (body_max != 0 && head.framing == http::Framing::length && head.content_length > body_max) {
        co_return co_await refuse(Reason::body_too_large);
    }
    body_.limit(body_max);
    const Choice choice = choose_backend(context_, *route_.rule);
    if (choice.refusal) {
        co_return co_await refuse(*choice.refusal);
    }
    const std::shared_ptr<const BackendSet> set = choice.backend->set;
    set_ = set.get();
    treatment_.backend = choice.backend->filters;
    Outgoing request;
    prepare_request(request, head, path_, client_.facts(), treatment_, facts_.id);
    if (request.forwarded.believed) {
        record_.believed_client = request.forwarded.client;
    }
    if (record_.trace) {
        record_.trace->put(request.headers);
    }
    // What has come of the body leaves with the head; if that is broken already, nothing leaves and no backend is asked.
    body_.look_ahead();
    if (body_.reject() != http::Reject::none) {
        co_return co_await refuse(reason_of(body_.reject()), http::sentence_of(body_.reject()));
    }
    mirroring_.prepare(due_mirrors(context_, *route_.rule), head, path_, client_.facts(), treatment_, facts_.id);
    if (facts_.has_body) {
        request.own();  // the body comes into the buffer that the head is in, and any method is asked again where nobody looked at it
        if (idempotent(facts_.method) || route_.rule->spec->retry != nullptr || mirroring_.waiting()) {
            body_.keep(limits().retry_body_bytes_max);
        }
    }
    if (route_.rule->spec->retry != nullptr) {
        context_.retry_budgets[set->id].earn(limits().retry_budget_percent);
    }
    wish_ = wish_of(*set, request.forwarded.client, &head.headers);
    if (route_.rule->persistence != nullptr) {
        session_.begin(*route_.rule->persistence, head.headers, *set, request.forwarded.scheme == "https", seconds_now());
        wish_.pinned = session_.pinned();
    }
    wish_.source = client_.facts().source;
    wish_.destination = client_.facts().destination;
    for (;;) {
        const Attempt done = co_await attempt(request, set);
        if (done == Attempt::over) {
            co_return;
        }
        count_attempt(context_, record_);
        body_.rewind();
        request_broken_ = false;
        ++tries_;
        wish_.fresh = wish_.fresh || done == Attempt::again;
        if (done == Attempt::retry && claim_.endpoint() != nullptr) {
            wish_.failed.push_back(claim_.endpoint()->address);
        }
        claim_ = Claim();  // the next attempt may need the place
        if (done == Attempt::retry) {
            const ring::Duration pause = backoff();
            ++retries_;
            if (pause.count() > 0) {
                static_cast<void>(co_await context_.loop.sleep(pause));
            }
        }
    }
}

// Doubled each time, and somewhere in the upper half of that: clients that failed together do not come back together.
ring::Duration Exchange::backoff() const {
    constexpr std::uint64_t kPauseMax = 60'000;
    const std::uint64_t base = route_.rule->spec->retry->backoff_ms;
    const std::uint64_t pause = std::min(base << std::min(retries_, 16U), std::max(kPauseMax, base));
    return std::chrono::milliseconds(pause / 2 + (pause == 0 ? 0 : context_.next_random() % (pause - pause / 2 + 1)));
}

// By the rule's policy (GEP-1731). `status`: of the backend's answer; 0: no connection came about, which needs no code.
bool Exchange::may_retry(int status) {
    const fb::RetryT* policy = route_.rule->spec->retry.get();
    if (policy == nullptr || retries_ >= policy->attempts || !body_.can_rewind() || request_fault_ || scope_.cancelled() != 0) {
        return false;
    }
    if (status != 0 && std::find(policy->codes.begin(), policy->codes.end(), status) == policy->codes.end()) {
        return false;
    }
    const ring::Time now = context_.loop.now();
    if (now + std::chrono::milliseconds(policy->backoff_ms) >= deadline_) {
        return false;
    }
    return context_.retry_budgets[set_->id].spend(limits().retry_budget_min, now);
}

// A client that lets the time pass before its body is whole has nobody else to blame.
void Exchange::note_fault(Reason fault) const {
    if (!request_fault_ && (fault != Reason::backend_timeout || body_.complete())) {
        claim_.failed();
    }
}

// 500 and the rarer ones tell of this request: whoever finds one that a service stumbles over must not take its endpoints out.
void Exchange::note_answer(int status) const {
    if (status < 500) {
        claim_.succeeded();
    } else if (status >= 502 && status <= 504) {
        claim_.failed();
    }
}

ring::Task<Exchange::Attempt> Exchange::attempt(const Outgoing& request, const std::shared_ptr<const BackendSet>& set) {
    backend_deadline_ = std::min(deadline_, context_.in_ms(route_.rule->spec->backend_request_ms));
    record_.attempt(*set, context_.loop.now());
    BackendConnection connection = co_await connect_backend(context_, set, wish_, backend_deadline_);
    claim_ = std::move(connection.claim);
    if (!connection.open()) {
        co_return co_await answer_fault(*connection.fault, false);
    }
    record_.reach(connection.place.endpoint, connection.reused, context_.loop.now());
    const bool reused = connection.reused;
    const bool may_try_again = reused && idempotent(facts_.method);
    backend_ = &slot_.take(context_, std::move(connection), http_limits(limits()));
    if (!co_await send_request(request)) {
        // A fresh one may have said why before it closed.
        if ((may_try_again || backend_->unprocessed()) && tries_ < kTriesMax && body_.can_rewind()) {
            backend_->close();
            co_return Attempt::again;
        }
    }
    if (const auto fault = co_await read_response_head()) {
        co_await stop_pump();
        const bool unprocessed = backend_->unprocessed();
        backend_->close();
        if (scope_.cancelled() == 0 && !unprocessed && !(reused && *fault == Reason::backend_closed)) {
            note_fault(*fault);
        }
        co_return co_await answer_fault(*fault, may_try_again || unprocessed);
    }
    if (context_.loop.now() >= deadline_) {  // it came too late, if only just
        co_await stop_pump();
        note_fault(Reason::backend_timeout);
        backend_->close();
        co_return co_await answer_fault(Reason::backend_timeout, false);
    }
    const int status = backend_->head().status;
    record_.answered(status, context_.loop.now());
    note_answer(status);
    if (const std::string_view fault = upgrade_fault(request); !fault.empty()) {
        co_await stop_pump();
        backend_->close();
        co_await refuse(Reason::backend_invalid, fault);
        co_return Attempt::over;
    }
    if (status == 101) {
        co_await switch_protocols();
        co_return Attempt::over;
    }
    if (may_retry(status)) {
        co_await stop_pump();
        backend_->close();
        co_return Attempt::retry;
    }
    const bool whole = co_await relay();
    co_await stop_pump();
    backend_->finish(whole && body_.complete() && !request_broken_);
    co_return Attempt::over;
}

// The backend said nothing that the client was told.
ring::Task<Exchange::Attempt> Exchange::answer_fault(Reason fault, bool may_try_again) {
    if (scope_.cancelled() != 0) {
        client_.abort();
        co_return Attempt::over;
    }
    if (request_fault_ && info(*request_fault_).status == 0) {  // the client is gone, or dead
        failed(*request_fault_);
        client_.abort();
        co_return Attempt::over;
    }
    if (fault == Reason::backend_closed && may_try_again && tries_ < kTriesMax && body_.can_rewind() && !request_fault_) {
        co_return Attempt::again;
    }
    const bool unconnected = fault == Reason::backend_connect || fault == Reason::backend_tls;
    if (may_retry(unconnected ? 0 : info(fault).status)) {
        co_return Attempt::retry;
    }
    if (fault == Reason::backend_timeout && context_.loop.now() >= deadline_) {
        fault = Reason::request_timeout;
    }
    co_await refuse(request_fault_.value_or(fault), http::sentence_of(body_.reject()));
    co_return Attempt::over;
}

}  // namespace penstock::proxy
