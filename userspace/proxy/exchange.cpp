// SPDX-License-Identifier: Apache-2.0
// Where a request goes, and what is said if it goes nowhere. Its attempts are in exchange_attempts.cpp, its bodies in exchange_bodies.cpp.
#include "userspace/proxy/exchange.hpp"

#include <algorithm>
#include <cerrno>

#include "userspace/match/path.hpp"

namespace penstock::proxy {

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
    const fb::Rule& rule = *route_.rule->spec;
    treatment_.rule = rule.filters();
    treatment_.trusted_hops = route_.listener->trusted_hops;
    treatment_.via = route_.listener->via;
    treatment_.version = client_.version();
    treatment_.matched_prefix = route_.match->path_match() == fb::PathMatch::Prefix ? route_.match->path()->string_view() : std::string_view();
    if (route_.rule->cors != nullptr) {
        cors_ = {.cors = route_.rule->cors.get(), .origin = std::string(route_.rule->cors->allowed_origin(head))};
        treatment_.cors = &cors_;
        if (route_.preflight) {
            co_return co_await answer_preflight(head);
        }
    }
    if (treatment_.rule != nullptr && treatment_.rule->redirect() != nullptr) {
        co_return co_await redirect(head, *treatment_.rule->redirect());
    }
    if (hops_left(head) == 0) {
        co_return co_await answer_last(head);
    }
    deadline_ = context_.in_ms(rule.request_ms());
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

ring::Task<> Exchange::redirect(const http::RequestHead& head, const fb::Redirect& to) {
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

}  // namespace penstock::proxy
