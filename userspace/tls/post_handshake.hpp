// SPDX-License-Identifier: Apache-2.0
// What a record means that comes after the handshake, once it is decrypted, by us or by the kernel: data, an alert, a KeyUpdate, a ticket,
// or something that must not be. Neither side may renegotiate. A peer that keeps sending what moves nothing is cut off.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "userspace/tls/fault.hpp"

namespace penstock::tls {

enum class Role : std::uint8_t { server, client };

class PostHandshake {
public:
    PostHandshake(Role role, bool tls13) : role_(role), tls13_(tls13) {}

    enum class Means : std::uint8_t {
        data,
        nothing,
        ticket,             // a whole NewSessionTicket, or a part of one (a client of TLS 1.3)
        rekey,              // the peer writes with its next keys from now on
        rekey_and_answer,   // and wants the same of us before our next data
        closed,             // close_notify
        failed              // see fault() and answer()
    };
    Means take(std::uint8_t type, std::span<const std::uint8_t> bytes);

    [[nodiscard]] Fault fault() const { return fault_; }
    [[nodiscard]] const char* detail() const { return detail_; }
    // The alert that is due: level and description; {0, 0}: none.
    [[nodiscard]] std::array<std::uint8_t, 2> answer() const { return answer_; }
    // A handshake message has begun and is not whole yet.
    [[nodiscard]] bool amid_message() const { return head_bytes_ != 0; }
    // What is wrong was found elsewhere.
    Means fail(Fault fault, const char* detail, std::uint8_t description);

private:
    static constexpr unsigned kUselessMax = 32;  // records in a row

    Means take_alert(std::span<const std::uint8_t> bytes);
    Means take_handshake(std::span<const std::uint8_t> bytes);
    Means take_renegotiation(std::span<const std::uint8_t> bytes);
    Means end_of_message(std::uint8_t body, bool last);
    [[nodiscard]] bool fits() const;
    Means useless(Means means);

    Role role_;
    bool tls13_;
    Fault fault_ = Fault::none;
    std::array<std::uint8_t, 2> answer_ = {};
    // Of the handshake message that is being read: its head, how much of that there is, how much of its body is missing.
    std::array<std::uint8_t, 4> head_ = {};
    std::uint8_t head_bytes_ = 0;
    std::uint32_t body_left_ = 0;
    unsigned useless_ = 0;
    const char* detail_ = "";
};

}  // namespace penstock::tls
