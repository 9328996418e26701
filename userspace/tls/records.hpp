// SPDX-License-Identifier: Apache-2.0
// The record layer of a connection after its handshake, both directions, without OpenSSL's SSL object. Plaintext is given where the
// ciphertext was received; what leaves is encrypted where it is sent from.
#pragma once

#include <optional>
#include <utility>

#include "userspace/tls/framer.hpp"
#include "userspace/tls/post_handshake.hpp"
#include "userspace/tls/record_cipher.hpp"

namespace penstock::tls {

// Of one key: RFC 8446 5.5 allows AES-GCM 2^24.5 full records.
inline constexpr std::uint64_t kRecordsPerKeyMax = 1ULL << 24;

// A KeyUpdate that asks for none back.
inline constexpr std::uint8_t kKeyUpdate[] = {24, 0, 0, 1, 0};

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
    // As Framer::missing.
    [[nodiscard]] std::size_t missing() const { return framer_.missing(); }

    // ---- kTLS: the kernel goes on with a direction, on a socket that attach_kernel() has prepared -----------------------------------
    // False: it will not; all stays as it is. Writing: nothing that was sealed here is unsent. Reading: between records.
    bool give_writing(int fd);
    bool give_reading(int fd);
    [[nodiscard]] bool between() const { return missing() == 0 && !rules_.amid_message(); }
    [[nodiscard]] bool kernel_writes() const { return kernel_writes_; }
    [[nodiscard]] bool kernel_reads() const { return kernel_reads_; }
    // What a record means that the kernel has read, or a part of one. The key that a KeyUpdate asks for goes to the kernel.
    PostHandshake::Means take(std::uint8_t type, std::span<const std::uint8_t> bytes, int fd);
    // The kernel gave `error` instead of a record. False: that is no matter of records.
    bool take_error(int error, int fd);
    // Of a record that the kernel has to send, since it writes; once.
    struct Control {
        ContentType type = alert;
        std::array<std::uint8_t, 5> bytes = {};
        std::uint8_t size = 0;
    };
    [[nodiscard]] std::optional<Control> take_control() { return std::exchange(control_, std::nullopt); }
    // Before so many bytes of data leave through the kernel: whether what take_control() has (a KeyUpdate, or an alert) and renew_writing()
    // come first.
    bool update_due(std::size_t bytes);
    // The kernel's next record has the next key. False: it cannot, and the peer understands nothing more.
    bool renew_writing(int fd);

private:
    PostHandshake::Means opened(const RecordCipher::Opened& record);
    void say(ContentType type, std::span<const std::uint8_t> bytes, Bytes& out);
    void send_alert(Bytes& out);
    void queue(ContentType type, std::span<const std::uint8_t> bytes);
    bool renew_key(Bytes& out);
    void update_key(Bytes& out);

    Framer framer_;
    PostHandshake rules_;
    RecordCipher read_, write_;
    std::size_t fragment_max_;
    bool answer_due_ = false;  // a KeyUpdate of ours, before our next data
    bool kernel_writes_ = false, kernel_reads_ = false;
    std::optional<Control> control_;
};

}  // namespace penstock::tls
