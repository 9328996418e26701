// SPDX-License-Identifier: Apache-2.0
#include "userspace/tls/records.hpp"

#include <openssl/ssl.h>

namespace penstock::tls {

using Means = PostHandshake::Means;

Records::Records(HandOver&& from)
    : rules_(from.role, from.read.tls13), read_(std::move(from.read), false), write_(std::move(from.write), true), fragment_max_(from.fragment_max) {}

void Records::queue(ContentType type, std::span<const std::uint8_t> bytes) {
    control_.emplace(Control{.type = type, .size = static_cast<std::uint8_t>(bytes.size())});
    std::copy(bytes.begin(), bytes.end(), control_->bytes.begin());
}

void Records::say(ContentType type, std::span<const std::uint8_t> bytes, Bytes& out) {
    if (kernel_writes_) {
        queue(type, bytes);
    } else {
        write_.seal(type, bytes, out);
    }
}

void Records::send_alert(Bytes& out) {
    if (rules_.answer()[0] != 0) {
        say(alert, rules_.answer(), out);
    }
}

Means Records::opened(const RecordCipher::Opened& record) {
    using Failure = RecordCipher::Failure;
    switch (record.failure) {
        case Failure::none: return rules_.take(record.type, record.bytes);
        case Failure::too_short:
        case Failure::forged: return rules_.fail(Fault::record, "a record does not authenticate", SSL_AD_BAD_RECORD_MAC);
        case Failure::too_long: return rules_.fail(Fault::record, "a record is too long", SSL_AD_RECORD_OVERFLOW);
        case Failure::no_type: return rules_.fail(Fault::record, "a record of nothing but padding", SSL_AD_UNEXPECTED_MESSAGE);
    }
    return Means::failed;
}

Records::Next Records::next(Bytes& out, Bytes* copy) {
    const Framer::Next found = framer_.next();
    Next result;
    switch (found.found) {
        case Framer::Found::none: return {.none = true};
        case Framer::Found::too_long: result.means = rules_.fail(Fault::record, "a record is too long", SSL_AD_RECORD_OVERFLOW); break;
        case Framer::Found::no_record: result.means = rules_.fail(Fault::record, "no record where one should begin", SSL_AD_UNEXPECTED_MESSAGE); break;
        case Framer::Found::record: {
            // TLS 1.3 sends nothing in the clear any more; what is must not be taken for what it says.
            if (read_.direction().tls13 && found.record[0] != application_data) {
                result.means = rules_.fail(Fault::record, "a record in the clear", SSL_AD_UNEXPECTED_MESSAGE);
                break;
            }
            if (copy != nullptr) {
                copy->clear();
                append(*copy, found.record);
            }
            const RecordCipher::Opened record = read_.open(found.record);
            result = {opened(record), record.bytes};
            break;
        }
    }
    if (result.means == Means::rekey || result.means == Means::rekey_and_answer) {
        answer_due_ |= result.means == Means::rekey_and_answer;
        read_.rekey();
    } else if (result.means == Means::failed) {
        send_alert(out);
    }
    return result;
}

// RFC 8446 4.6.3: under the old key, and the next record has the new one.
void Records::update_key(Bytes& out) {
    write_.seal(handshake, kKeyUpdate, out);
    write_.rekey();
    answer_due_ = false;
}

bool Records::renew_key(Bytes& out) {
    const Direction& direction = write_.direction();
    if (direction.sequence < kRecordsPerKeyMax && !answer_due_) {
        return true;
    }
    if (!direction.tls13) {
        rules_.fail(Fault::other, "a key was used for too many records", SSL_AD_INTERNAL_ERROR);
        send_alert(out);
        return false;
    }
    update_key(out);
    return true;
}

bool Records::write(std::span<iovec> parts, Bytes& out) {
    std::size_t left = 0;
    for (const iovec& part : parts) {
        left += part.iov_len;
    }
    out.reserve(out.size() + left + (left / fragment_max_ + 2) * (kRecordHead + kSealOverheadMax + 8));
    while (left != 0) {
        if (!renew_key(out)) {
            return false;
        }
        const std::size_t count = std::min(left, fragment_max_);
        write_.seal(application_data, parts, count, out);
        left -= count;
    }
    return true;
}

void Records::close(Bytes& out) {
    static constexpr std::uint8_t kCloseNotify[] = {1, SSL_AD_CLOSE_NOTIFY};
    say(alert, kCloseNotify, out);
}

}  // namespace penstock::tls
