// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/span_export.hpp"

#include "userspace/proxy/backend_connect.hpp"
#include "userspace/proxy/backend_slot.hpp"
#include "userspace/proxy/context.hpp"
#include "userspace/proxy/record.hpp"
#include "userspace/proxy/span_text.hpp"
#include "userspace/proxy/whole_answer.hpp"

namespace penstock::proxy {

namespace {

constexpr std::size_t kBatch = 256U << 10;  // bytes of text that leave at once
constexpr std::size_t kAnswerMax = 64U << 10;
constexpr auto kGather = std::chrono::seconds(1);
constexpr auto kLook = std::chrono::milliseconds(50);
constexpr auto kPatience = std::chrono::seconds(10);
constexpr auto kPauseMax = std::chrono::seconds(30);

std::int64_t unix_ns() { return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count(); }

// A drain ends it early. False: the thread ends.
ring::Task<bool> wait(Context& context, ring::Duration length) {
    const ring::Time until = context.loop.after(length);
    while (context.loop.now() < until && !context.draining) {
        const int slept = co_await context.loop.sleep(kLook);
        if (slept != 0) {
            co_return false;
        }
    }
    co_return true;
}

}  // namespace

void SpanExport::put(const Record& record) {
    if (bytes_ >= kWaitingMax) {
        return count(context_.stats.spans_lost);
    }
    if (batches_.empty() || batches_.back().to != record.tables->tracing || batches_.back().spans.size() >= kBatch) {
        batches_.push_back({record.tables->tracing, {}, 0});
    }
    Batch& batch = batches_.back();
    const std::size_t before = batch.spans.size();
    if (before != 0) {
        batch.spans += ',';
    }
    write_span(batch.spans, record, unix_ns());
    ++batch.count;
    bytes_ += batch.spans.size() - before;
    if (!busy_.load(std::memory_order_relaxed)) {
        busy_.store(true, std::memory_order_relaxed);
        context_.loop.spawn(run());
    }
}

// Until there is enough, or the first of them has waited long enough.
ring::Task<> SpanExport::gather() {
    const ring::Time until = context_.loop.after(kGather);
    while (context_.loop.now() < until && bytes_ < kBatch && !context_.draining) {
        const int slept = co_await context_.loop.sleep(kLook);
        if (slept != 0) {
            co_return;
        }
    }
}

ring::Task<> SpanExport::run() {
    ring::Duration pause = std::chrono::seconds(1);
    while (!batches_.empty()) {
        co_await gather();
        // Out of the queue while it is on its way: put() must not write into it.
        Batch batch = std::move(batches_.front());
        batches_.pop_front();
        const Sent sent = co_await send(batch);
        if (sent == Sent::away && !context_.draining) {
            batches_.push_front(std::move(batch));
            const bool waited = co_await wait(context_, pause);
            if (!waited) {
                break;
            }
            pause = std::min<ring::Duration>(pause * 2, kPauseMax);
            continue;
        }
        count(sent == Sent::taken ? context_.stats.spans_exported : context_.stats.spans_lost, batch.count);
        bytes_ -= batch.spans.size();
        pause = std::chrono::seconds(1);
    }
    drop_all();
    busy_.store(false, std::memory_order_relaxed);
}

// What is left when the thread ends.
void SpanExport::drop_all() {
    for (const Batch& batch : batches_) {
        count(context_.stats.spans_lost, batch.count);
    }
    batches_.clear();
    bytes_ = 0;
}

ring::Task<SpanExport::Sent> SpanExport::send(const Batch& batch) {
    const ring::Time deadline = context_.loop.after(kPatience);
    Wish wish;
    BackendConnection connection = co_await connect_backend(context_, batch.to->set, wish, deadline);
    if (!connection.open()) {
        co_return Sent::away;
    }
    const Claim claim = std::move(connection.claim);
    const std::string body = export_request(batch.to->service_name, batch.spans);
    Outgoing request;
    request.method = "POST";
    request.target = batch.to->path;
    request.host = connection.place.endpoint.text();
    request.headers.add("Content-Type", "application/json");
    request.headers.add("User-Agent", "penstock");
    request.framing = http::Framing::length;
    request.content_length = body.size();
    BackendSlot slot;
    BackendSide& side = slot.take(context_, std::move(connection), http::Limits{});
    side.start(request);
    side.add(body);
    side.end({});
    static_cast<void>(co_await side.flush(deadline));  // what it has said all the same counts
    int status = 0;
    bool whole = false;
    const bool has_head = co_await read_answer_head(side, deadline);
    if (has_head) {
        status = side.head().status;
        whole = co_await read_answer_body(side.body(), kAnswerMax, deadline);
    }
    side.finish(whole);
    if (status >= 200 && status < 300) {
        co_return Sent::taken;
    }
    co_return status == 0 || status == 429 || status >= 500 ? Sent::away : Sent::refused;
}

}  // namespace penstock::proxy
