// SPDX-License-Identifier: Apache-2.0
// The record layer of a connection after its handshake, both directions, without OpenSSL's SSL object. Plaintext is given where the
// ciphertext was received; what leaves is encrypted where it is sent from.
#pragma once

#include "userspace/tls/framer.hpp"
#include "userspace/tls/post_handshake.hpp"
#include "userspace/tls/record_cipher.hpp"

namespace penstock::tls {

// Of one key: RFC 8446 5.5 allows AES-GCM 2^24.5 full records.
inline constexpr std::uint64_t kRecordsPerKeyMax = 1ULL << 24;

// What a handshake leaves behind.
struct HandOver {
    Direction read, write;
    Role role = Role::server;
    std::size_t fragment_max = kPlaintextMax;  // of plaintext in a record of ours (RFC 6066 4)
};

class Records {
public:
    explicit Records(HandOver&& from);

    // As Framer::feed: only when next() said none; decrypted in place; the caller's until release().
    void feed(std::span<std::uint8_t> bytes) { framer_.feed(bytes); }
    void release() { framer_.release(); }

    struct Next {
        PostHandshake::Means means = PostHandshake::Means::nothing;
        std::span<const std::uint8_t> data = {};
        bool none = false;  // no whole record is here
    };
    // Reads one record. An alert that is due goes to `out`. If `copy` is given, the record's ciphertext is put there first.
    Next next(Bytes& out, Bytes* copy = nullptr);

    // Seals all of the parts, which are used up, into as few records as they fit in. False: a key's limit is reached (TLS 1.2 only).
    bool write(std::span<iovec> parts, Bytes& out);
    void close(Bytes& out);  // close_notify

    [[nodiscard]] Fault fault() const { return rules_.fault(); }
    [[nodiscard]] const char* detail() const { return rules_.detail(); }
    // The bytes so far end inside a record.
    [[nodiscard]] bool cut() const { return framer_.cut(); }

private:
    PostHandshake::Means opened(const RecordCipher::Opened& record);
    void send_alert(Bytes& out);
    bool renew_key(Bytes& out);
    void update_key(Bytes& out);

    Framer framer_;
    PostHandshake rules_;
    RecordCipher read_, write_;
    std::size_t fragment_max_;
    bool answer_due_ = false;  // a KeyUpdate of ours, before our next data
};

}  // namespace penstock::tls
