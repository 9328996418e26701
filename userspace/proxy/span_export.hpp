// SPDX-License-Identifier: Apache-2.0
// Spans of one worker thread on their way to the collector: gathered for a second, sent by OTLP over HTTP, kept for a while if the collector
// is away. What waits is bounded; beyond, spans are dropped and counted. No request ever waits for any of it.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "userspace/ring/loop.hpp"

namespace penstock::proxy {

struct Context;
struct Record;
struct Tracing;

class SpanExport {
public:
    static constexpr std::size_t kWaitingMax = 2U << 20;  // bytes of text

    explicit SpanExport(Context& context) : context_(context) {}
    SpanExport(const SpanExport&) = delete;

    // Only of a record that has a trace.
    void put(const Record& record);
    // Spans wait, or are on their way. Any thread.
    [[nodiscard]] bool busy() const { return busy_.load(std::memory_order_relaxed); }

private:
    struct Batch {
        std::shared_ptr<const Tracing> to;
        std::string spans;  // separated by commas
        std::uint64_t count = 0;
    };
    enum class Sent : std::uint8_t { taken, refused, away };

    ring::Task<> run();
    ring::Task<> gather();
    ring::Task<Sent> send(const Batch& batch);
    void drop_all();

    Context& context_;
    std::deque<Batch> batches_;
    std::size_t bytes_ = 0;  // of all batches
    std::atomic<bool> busy_ = false;
};

}  // namespace penstock::proxy
