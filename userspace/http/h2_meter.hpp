// SPDX-License-Identifier: Apache-2.0
// Reads the frame heads of a connection before nghttp2 does, and ends it when the peer sends more of a kind than it can have reason to.
// Each allowance is a number of frames at once, a number that comes back each second, and what earns more. The figures are in the table;
// counting does not depend on how the bytes were cut, nor on what nghttp2 skips.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "userspace/http/h2_fault.hpp"

namespace penstock::http {

// name, at once, per second, fault, why that much
#define PST_H2_ALLOWANCES(X)                                                                                                  \
    X(resets, 256, 33, rapid_reset, "a client that cancels all it has open, twice; a finished stream earns one")             \
    X(errors, 100, 10, peer_errors, "a client with a bug in one request; a finished stream earns one")                       \
    X(settings, 100, 2, settings_flood, "gRPC grows its window by SETTINGS, some ten times in a life")                        \
    X(pings, 200, 20, ping_flood, "gRPC measures with one PING a round trip while data flow: a DATA frame of ours earns one") \
    X(empty_data, 100, 10, empty_data_flood, "a client that flushes before it ends: a stream earns one")                      \
    X(window_updates, 1000, 100, window_update_flood, "two for each DATA frame of ours and each stream: both earn four")      \
    X(priorities, 200, 10, priority_flood, "old Firefox sends six at the start; a stream earns four")                         \
    X(useless, 100, 10, useless_frame_flood, "greased frame types")

enum class H2Allowance : std::uint8_t {
#define PST_X(name, burst, rate, fault, why) name,
    PST_H2_ALLOWANCES(PST_X)
#undef PST_X
    count
};

class H2Meter {
public:
    // `preface`: the peer's bytes begin with the client's 24 bytes of magic.
    H2Meter(bool preface, std::uint64_t now_ms);

    // The number of bytes before the first frame that is too many: bytes.size() if there is none, else fault() says why.
    std::size_t scan(std::string_view bytes, std::uint64_t now_ms);
    // Counts what the frames' heads do not tell. False: too many, see fault().
    bool take(H2Allowance allowance, std::uint64_t now_ms);
    [[nodiscard]] H2Fault fault() const { return fault_; }

    void stream_opened();
    void stream_finished();
    void data_sent();

    // When the header block (or the preface) that is not complete yet began; 0: there is none.
    [[nodiscard]] std::uint64_t head_since() const { return head_since_; }

private:
    static constexpr std::size_t kHeadSize = 9;
    struct State {
        std::uint32_t left, filled_ms;  // tokens, and when they were last filled up (milliseconds modulo 2^32)
    };
    bool frame(std::uint64_t now_ms);
    bool block(unsigned type, unsigned flags, std::uint64_t now_ms);
    void give(H2Allowance allowance, std::uint32_t tokens);

    std::array<State, static_cast<std::size_t>(H2Allowance::count)> states_{};
    std::array<unsigned char, kHeadSize> head_{};
    std::uint8_t have_ = 0;           // bytes of head_
    std::uint8_t continuations_ = 0;  // of the open header block
    bool preface_ = false;
    bool head_ends_ = false;          // with the payload of this frame
    H2Fault fault_ = H2Fault::none;
    std::uint32_t skip_ = 0;          // bytes of payload to come
    std::uint64_t head_since_ = 0;
};

}  // namespace penstock::http
