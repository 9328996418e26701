// SPDX-License-Identifier: Apache-2.0
// W3C Trace Context: which trace a request belongs to, and what we tell the backend of it. Pure.
// Without tracing of our own both fields pass through untouched: who does not take part does not rewrite.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "userspace/http/headers.hpp"

namespace penstock::proxy {

// A valid traceparent; views into it.
struct TraceParent {
    std::string_view trace_id;   // 32 lower-case hexadecimal digits, not all 0
    std::string_view parent_id;  // 16
    bool sampled = false;
};

// Nothing if it is not valid (W3C Trace Context 3.2). Of a version above 00 what version 00 knows is read.
std::optional<TraceParent> parse_traceparent(std::string_view text);
// Of a request; nothing if there is none, several, or one that is not valid.
std::optional<TraceParent> traceparent_of(const http::Headers& headers);

// A request's place in its trace: our span is what the backend sees as its parent.
class Trace {
public:
    // Goes on with what the client said, else begins a trace, which is sampled if `sample` says so. `random` gives 64 random bits.
    template <class Random, class Sample>
    void begin(const std::optional<TraceParent>& parent, Random random, Sample sample) {
        if (parent) {
            set(kTraceAt, parent->trace_id);
            parent->parent_id.copy(parent_.data(), parent_.size());
            has_parent_ = true;
        } else {
            set_number(kTraceAt, random());
            set_number(kTraceAt + 16, random());
        }
        set_number(kSpanAt, random());
        sampled_ = parent ? parent->sampled : sample();
        text_[kFlagsAt + 1] = sampled_ ? '1' : '0';
    }
    // For a backend that shall see our span: replaces traceparent, whose value is of this object, and drops a tracestate whose traceparent
    // was not valid.
    void put(http::Headers& headers) const;

    [[nodiscard]] std::string_view trace_id() const { return {text_.data() + kTraceAt, 32}; }
    [[nodiscard]] std::string_view span_id() const { return {text_.data() + kSpanAt, 16}; }
    [[nodiscard]] std::string_view parent_id() const { return has_parent_ ? std::string_view(parent_.data(), parent_.size()) : std::string_view(); }
    [[nodiscard]] bool sampled() const { return sampled_; }

private:
    // 00-TRACE-SPAN-FLAGS
    static constexpr std::size_t kTraceAt = 3, kSpanAt = 36, kFlagsAt = 53, kSize = 55;
    void set(std::size_t at, std::string_view text) { text.copy(text_.data() + at, text.size()); }
    // 16 digits. Never 0, which no identifier may be.
    void set_number(std::size_t at, std::uint64_t number);

    static constexpr std::array<char, kSize> blank() {
        std::array<char, kSize> text{};
        text.fill('0');
        text[2] = text[35] = text[52] = '-';
        return text;
    }

    std::array<char, kSize> text_ = blank();
    std::array<char, 16> parent_ = {};
    bool has_parent_ = false;
    bool sampled_ = false;
};

}  // namespace penstock::proxy
