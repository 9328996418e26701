// SPDX-License-Identifier: Apache-2.0
#include "userspace/http/h2_meter.hpp"

#include <algorithm>

namespace penstock::http {

namespace {

struct Allowed {
    std::uint32_t burst, rate;
    H2Fault fault;
};

constexpr std::array kAllowed = {
#define PST_X(name, burst, rate, fault, why) Allowed{burst, rate, H2Fault::fault},
    PST_H2_ALLOWANCES(PST_X)
#undef PST_X
};

enum : unsigned { kData = 0, kHeaders = 1, kPriority = 2, kRstStream = 3, kSettings = 4, kPing = 6, kWindowUpdate = 8, kContinuation = 9, kPriorityUpdate = 16 };
enum : unsigned { kEndStream = 1, kAck = 1, kEndHeaders = 4, kPadded = 8 };
constexpr std::uint32_t kPrefaceSize = 24;
// A head of 64 KiB needs four frames of 16 KiB.
constexpr unsigned kContinuationsMax = 8;

// 0 means "no time" to those who ask.
std::uint64_t at(std::uint64_t now_ms) { return std::max<std::uint64_t>(now_ms, 1); }

}  // namespace

H2Meter::H2Meter(bool preface, std::uint64_t now_ms) : preface_(preface), skip_(preface ? kPrefaceSize : 0) {
    for (std::size_t i = 0; i < states_.size(); i++) {
        states_[i] = {kAllowed[i].burst, static_cast<std::uint32_t>(now_ms)};
    }
}

std::size_t H2Meter::scan(std::string_view bytes, std::uint64_t now_ms) {
    std::size_t at_byte = 0;
    if (preface_ && head_since_ == 0) {
        head_since_ = at(now_ms);
    }
    while (fault_ == H2Fault::none) {
        if (skip_ == 0 && head_ends_) {
            head_ends_ = false;
            head_since_ = 0;
        }
        if (at_byte == bytes.size()) {
            break;
        }
        if (skip_ != 0) {
            const auto skipped = static_cast<std::uint32_t>(std::min<std::size_t>(skip_, bytes.size() - at_byte));
            skip_ -= skipped;
            at_byte += skipped;
            continue;
        }
        head_[have_++] = static_cast<unsigned char>(bytes[at_byte++]);
        if (have_ == kHeadSize) {
            have_ = 0;
            if (!frame(now_ms)) {
                return at_byte - std::min(at_byte, kHeadSize);
            }
        }
    }
    return at_byte;
}

bool H2Meter::frame(std::uint64_t now_ms) {
    const unsigned type = head_[3], flags = head_[4];
    skip_ = static_cast<std::uint32_t>(head_[0] << 16 | head_[1] << 8 | head_[2]);
    if (preface_) {
        preface_ = false;
        head_since_ = 0;
    }
    switch (type) {
        case kData: {
            const bool empty = skip_ == 0 || (skip_ == 1 && (flags & kPadded) != 0);
            return !empty || (flags & kEndStream) != 0 || take(H2Allowance::empty_data, now_ms);
        }
        case kHeaders:
        case kContinuation: return block(type, flags, now_ms);
        case kRstStream: return take(H2Allowance::resets, now_ms);
        case kSettings: return (flags & kAck) != 0 || take(H2Allowance::settings, now_ms);
        case kPing: return (flags & kAck) != 0 || take(H2Allowance::pings, now_ms);
        case kWindowUpdate: return take(H2Allowance::window_updates, now_ms);
        case kPriority:
        case kPriorityUpdate: return take(H2Allowance::priorities, now_ms);
        default: return take(H2Allowance::useless, now_ms);
    }
}

bool H2Meter::block(unsigned type, unsigned flags, std::uint64_t now_ms) {
    if (type == kHeaders) {
        continuations_ = 0;
        head_since_ = at(now_ms);
    } else if (++continuations_ > kContinuationsMax) {
        fault_ = H2Fault::continuation_flood;
        return false;
    }
    head_ends_ = (flags & kEndHeaders) != 0;
    return true;
}

bool H2Meter::take(H2Allowance allowance, std::uint64_t now_ms) {
    const auto index = static_cast<std::size_t>(allowance);
    State& state = states_[index];
    const Allowed& allowed = kAllowed[index];
    if (state.left == 0) {
        const std::uint64_t passed = static_cast<std::uint32_t>(now_ms) - state.filled_ms;
        const std::uint64_t back = std::min<std::uint64_t>(passed * allowed.rate / 1000, allowed.burst);
        if (back == 0) {
            fault_ = allowed.fault;
            return false;
        }
        state = {static_cast<std::uint32_t>(back), static_cast<std::uint32_t>(now_ms)};
    }
    state.left--;
    return true;
}

void H2Meter::give(H2Allowance allowance, std::uint32_t tokens) {
    const auto index = static_cast<std::size_t>(allowance);
    states_[index].left = std::min(states_[index].left + tokens, kAllowed[index].burst);
}

void H2Meter::stream_opened() {
    give(H2Allowance::empty_data, 1);
    give(H2Allowance::window_updates, 4);
    give(H2Allowance::priorities, 4);
}

void H2Meter::stream_finished() {
    give(H2Allowance::resets, 1);
    give(H2Allowance::errors, 1);
}

void H2Meter::data_sent() {
    give(H2Allowance::pings, 1);
    give(H2Allowance::window_updates, 4);
}

}  // namespace penstock::http
