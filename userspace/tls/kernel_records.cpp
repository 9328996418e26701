// SPDX-License-Identifier: Apache-2.0
// The part of Records that the kernel does the work of (kTLS). It reads only where it also writes.
#include <openssl/ssl.h>

#include <algorithm>
#include <cerrno>

#include "userspace/tls/kernel_keys.hpp"
#include "userspace/tls/records.hpp"

namespace penstock::tls {

using Means = PostHandshake::Means;

namespace {
constexpr std::uint8_t kInternalError[] = {2, SSL_AD_INTERNAL_ERROR};
}

bool Records::give_writing(int fd) {
    // The kernel's records are as long as may be.
    if (kernel_writes_ || answer_due_ || fragment_max_ != kPlaintextMax || !give_key(fd, write_.direction(), Way::write)) {
        return false;
    }
    write_.retire();
    kernel_writes_ = true;
    return true;
}

bool Records::give_reading(int fd) {
    if (!kernel_writes_ || !between() || !give_key(fd, read_.direction(), Way::read)) {
        return false;
    }
    read_.retire();
    kernel_reads_ = true;
    return true;
}

Means Records::take(std::uint8_t type, std::span<const std::uint8_t> bytes, int fd) {
    Means means = rules_.take(type, bytes);
    if (means == Means::rekey || means == Means::rekey_and_answer) {
        read_.rekey();
        if (give_key(fd, read_.direction(), Way::read)) {
            answer_due_ |= means == Means::rekey_and_answer;
            return means;
        }
        means = rules_.fail(Fault::other, "this kernel cannot change a key", SSL_AD_INTERNAL_ERROR);
        fetch_error(fd);  // it may have tried to read on with the old one
    }
    if (means == Means::failed && rules_.answer()[0] != 0) {
        queue(alert, rules_.answer());
    }
    return means;
}

bool Records::take_error(int error, int fd) {
    switch (error) {
        case EBADMSG: rules_.fail(Fault::record, "a record does not authenticate", SSL_AD_BAD_RECORD_MAC); break;
        case EMSGSIZE: rules_.fail(Fault::record, "a record is too long", SSL_AD_RECORD_OVERFLOW); break;
        case EINVAL: rules_.fail(Fault::record, "no record where one should begin", SSL_AD_UNEXPECTED_MESSAGE); break;
        default: return false;
    }
    fetch_error(fd);
    queue(alert, rules_.answer());
    return true;
}

bool Records::update_due(std::size_t bytes) {
    write_.count((bytes + kPlaintextMax - 1) / kPlaintextMax);
    if (!answer_due_ && write_.direction().sequence < kRecordsPerKeyMax) {
        return false;
    }
    if (write_.direction().tls13) {
        queue(handshake, kKeyUpdate);
    } else {
        queue(alert, kInternalError);
    }
    return true;
}

bool Records::renew_writing(int fd) {
    if (write_.direction().tls13) {
        write_.rekey();
        answer_due_ = false;
        if (give_key(fd, write_.direction(), Way::write)) {
            return true;
        }
    }
    rules_.fail(Fault::other, "this kernel cannot change a key", SSL_AD_INTERNAL_ERROR);
    return false;
}

}  // namespace penstock::tls
