// SPDX-License-Identifier: Apache-2.0
#include "userspace/tls/post_handshake.hpp"

#include <openssl/ssl.h>

#include <algorithm>

#include "userspace/tls/record_cipher.hpp"

namespace penstock::tls {

namespace {
constexpr std::uint8_t kWarning = 1, kFatal = 2;
constexpr std::uint8_t kNewSessionTicket = 4, kKeyUpdate = 24;
constexpr std::uint32_t kTicketMax = 1 << 17;
}  // namespace

PostHandshake::Means PostHandshake::fail(Fault fault, const char* detail, std::uint8_t description) {
    fault_ = fault;
    detail_ = detail;
    answer_ = {kFatal, description};
    return Means::failed;
}

PostHandshake::Means PostHandshake::useless(Means means) {
    return ++useless_ > kUselessMax ? fail(Fault::record, "too many records without data", SSL_AD_UNEXPECTED_MESSAGE) : means;
}

PostHandshake::Means PostHandshake::take(std::uint8_t type, std::span<const std::uint8_t> bytes) {
    if (head_bytes_ != 0 && type != handshake) {
        return fail(Fault::malformed, "another record amid a handshake message", SSL_AD_UNEXPECTED_MESSAGE);
    }
    switch (type) {
        case application_data:
            if (bytes.empty()) {
                return useless(Means::nothing);
            }
            useless_ = 0;
            return Means::data;
        case alert: return take_alert(bytes);
        case handshake: return tls13_ ? take_handshake(bytes) : take_renegotiation(bytes);
        default: return fail(Fault::record, "a record of a kind that has no place here", SSL_AD_UNEXPECTED_MESSAGE);
    }
}

PostHandshake::Means PostHandshake::take_alert(std::span<const std::uint8_t> bytes) {
    if (bytes.size() != 2) {
        return fail(Fault::malformed, "an alert that is no two bytes", SSL_AD_DECODE_ERROR);
    }
    if (bytes[1] == SSL_AD_CLOSE_NOTIFY) {
        return Means::closed;
    }
    // TLS 1.3 knows no warnings but this one, whatever the level says.
    if (bytes[1] == SSL_AD_USER_CANCELLED || (!tls13_ && bytes[0] == kWarning)) {
        return useless(Means::nothing);
    }
    fault_ = Fault::alert;
    detail_ = SSL_alert_desc_string_long(bytes[1]);
    return Means::failed;
}

// TLS 1.2: a server may ask (which we may ignore), a client may begin anew (which we refuse).
PostHandshake::Means PostHandshake::take_renegotiation(std::span<const std::uint8_t> bytes) {
    constexpr std::array<std::uint8_t, 4> kHelloRequest = {};
    if (role_ == Role::client && std::equal(bytes.begin(), bytes.end(), kHelloRequest.begin(), kHelloRequest.end())) {
        return useless(Means::nothing);
    }
    fail(Fault::malformed, "renegotiation", SSL_AD_NO_RENEGOTIATION);
    answer_[0] = kWarning;  // RFC 5246 7.2.2 has it so
    return Means::failed;
}

bool PostHandshake::fits() const {
    if (head_[0] == kKeyUpdate) {
        return body_left_ == 1;
    }
    return head_[0] == kNewSessionTicket && role_ == Role::client && body_left_ <= kTicketMax;
}

PostHandshake::Means PostHandshake::end_of_message(std::uint8_t body, bool last) {
    head_bytes_ = 0;
    if (head_[0] == kNewSessionTicket) {
        return Means::ticket;
    }
    if (!last) {
        return fail(Fault::malformed, "a KeyUpdate that does not end its record", SSL_AD_UNEXPECTED_MESSAGE);
    }
    if (body > 1) {
        return fail(Fault::malformed, "a KeyUpdate that is neither asked for nor not", SSL_AD_ILLEGAL_PARAMETER);
    }
    return body == 1 ? Means::rekey_and_answer : Means::rekey;
}

PostHandshake::Means PostHandshake::take_handshake(std::span<const std::uint8_t> bytes) {
    if (bytes.empty()) {
        return fail(Fault::record, "an empty handshake record", SSL_AD_UNEXPECTED_MESSAGE);
    }
    Means means = Means::ticket;
    while (!bytes.empty()) {
        if (head_bytes_ < head_.size()) {
            head_[head_bytes_++] = bytes.front();
            bytes = bytes.subspan(1);
            if (head_bytes_ < head_.size()) {
                continue;
            }
            body_left_ = static_cast<std::uint32_t>(head_[1]) << 16 | static_cast<std::uint32_t>(head_[2]) << 8 | head_[3];
            if (!fits()) {
                return fail(Fault::malformed, "a handshake message that has no place here", SSL_AD_UNEXPECTED_MESSAGE);
            }
        }
        const auto count = static_cast<std::uint32_t>(std::min<std::size_t>(body_left_, bytes.size()));
        const std::uint8_t first = count != 0 ? bytes.front() : std::uint8_t{0};
        bytes = bytes.subspan(count);
        body_left_ -= count;
        if (body_left_ == 0) {
            means = end_of_message(first, bytes.empty());
            if (means == Means::failed) {
                return means;
            }
        }
    }
    return useless(means);
}

}  // namespace penstock::tls
