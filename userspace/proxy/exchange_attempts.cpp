// SPDX-License-Identifier: Apache-2.0
// The attempts of one exchange at its backends: when there is another one, and where.
#include <algorithm>

#include "userspace/proxy/backend_connect.hpp"
#include "userspace/proxy/endpoint_change.hpp"
#include "userspace/proxy/exchange.hpp"

namespace penstock::proxy {

namespace {

constexpr std::uint32_t kTriesMax = 2;      // beyond the first, where only the connection was to blame

// Of the Unix clock, which other nodes have, too.
std::uint32_t seconds_now() {
    return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count());
}

}  // namespace

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
    set_ = choice.backend->set;
    treatment_.backend = choice.backend->spec->filters();
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
        if (idempotent(facts_.method) || route_.rule->spec->retry() != nullptr || mirroring_.waiting()) {
            body_.keep(limits().retry_body_bytes_max);
        }
    }
    if (route_.rule->spec->retry() != nullptr) {
        context_.retry_budgets[set_->id].earn(limits().retry_budget_percent);
    }
    wish_ = wish_of(*set_, request.forwarded.client, &head.headers);
    if (route_.rule->persistence != nullptr) {
        session_.begin(*route_.rule->persistence, head.headers, *set_, request.forwarded.scheme == "https", seconds_now());
        wish_.pinned = session_.pinned();
    }
    wish_.source = client_.facts().source;
    wish_.destination = client_.facts().destination;
    for (;;) {
        const Attempt done = co_await attempt(request);
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
            if (auto now = newest(context_, *set_); now != nullptr && now != set_ && !now->ready.empty()) {
                move_to(std::move(now));
            }
        }
    }
}

// Doubled each time, and somewhere in the upper half of that: clients that failed together do not come back together.
ring::Duration Exchange::backoff() const {
    constexpr std::uint64_t kPauseMax = 60'000;
    const std::uint64_t base = route_.rule->spec->retry()->backoff_ms();
    const std::uint64_t pause = std::min(base << std::min(retries_, 16U), std::max(kPauseMax, base));
    return std::chrono::milliseconds(pause / 2 + (pause == 0 ? 0 : context_.next_random() % (pause - pause / 2 + 1)));
}

// By the rule's policy (GEP-1731). `status`: of the backend's answer; 0: no connection came about, which needs no code.
bool Exchange::may_retry(int status) {
    const fb::Retry* policy = route_.rule->spec->retry();
    if (policy == nullptr || retries_ >= policy->attempts() || !body_.can_rewind() || request_fault_ || scope_.cancelled() != 0) {
        return false;
    }
    const auto& codes = fb::each(policy->codes());
    if (status != 0 && std::find(codes.begin(), codes.end(), status) == codes.end()) {
        return false;
    }
    const ring::Time now = context_.loop.now();
    if (now + std::chrono::milliseconds(policy->backoff_ms()) >= deadline_) {
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

ring::Task<Exchange::Attempt> Exchange::attempt(const Outgoing& request) {
    backend_deadline_ = std::min(deadline_, context_.in_ms(route_.rule->spec->backend_request_ms()));
    record_.attempt(*set_, context_.loop.now());
    BackendConnection connection = co_await connect_backend(context_, set_, wish_, backend_deadline_);
    claim_ = std::move(connection.claim);
    if (!connection.open()) {
        if (connection.error == kEndpointLeft) {  // before the rule's retries, which count
            const bool another = co_await finds_another(*connection.fault, true);
            if (another) {
                co_return Attempt::elsewhere;
            }
        }
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

// Whether a request that could not be sent, or may be sent twice, has another endpoint to go to now.
// `left`: it ended because newer tables came. That may happen each time that they do.
ring::Task<bool> Exchange::finds_another(Reason fault, bool left) {
    const bool unsent = fault == Reason::backend_connect && !wish_.failed.empty();
    const bool lost = fault == Reason::backend_closed && idempotent(facts_.method) && record_.endpoint.port != 0;
    if (!(unsent || lost) || (moved_ && !left) || !body_.can_rewind() || request_fault_ || scope_.cancelled() != 0) {
        co_return false;
    }
    if (lost) {
        wish_.failed.push_back(record_.endpoint);
    }
    auto next = co_await changed_set(context_, *set_, wish_, lost, deadline_);
    if (next == nullptr) {
        co_return false;
    }
    moved_ = moved_ || !left;
    move_to(std::move(next));
    co_return true;
}

void Exchange::move_to(std::shared_ptr<const BackendSet> next) {
    claim_ = Claim();
    wish_.move_to(*next);
    set_ = std::move(next);
}

// The backend said nothing that the client was told.
ring::Task<Exchange::Attempt> Exchange::answer_fault(Reason fault, bool may_try_again) {
    if (fault == Reason::backend_closed && may_try_again && tries_ < kTriesMax && body_.can_rewind() && !request_fault_ && scope_.cancelled() == 0) {
        co_return Attempt::again;
    }
    const bool unconnected = fault == Reason::backend_connect || fault == Reason::backend_tls;
    if (may_retry(unconnected ? 0 : info(fault).status)) {
        co_return Attempt::retry;
    }
    const bool another = co_await finds_another(fault, false);
    if (another) {
        co_return Attempt::elsewhere;
    }
    if (scope_.cancelled() != 0) {
        client_.abort();
        co_return Attempt::over;
    }
    if (request_fault_ && info(*request_fault_).status == 0) {  // the client is gone, or dead
        failed(*request_fault_);
        client_.abort();
        co_return Attempt::over;
    }
    if (fault == Reason::backend_timeout && context_.loop.now() >= deadline_) {
        fault = Reason::request_timeout;
    }
    co_await refuse(request_fault_.value_or(fault), http::sentence_of(body_.reject()));
    co_return Attempt::over;
}

}  // namespace penstock::proxy
