// SPDX-License-Identifier: Apache-2.0
// The AEAD of one direction's records, which it counts (RFC 8446 5.2-5.3; RFC 5246 6.2.3.3, RFC 5288, RFC 7905). Sealing writes straight
// to where the record leaves from, opening decrypts in place.
#pragma once

#include <sys/uio.h>

#include <memory>

#include "userspace/tls/key_schedule.hpp"

struct evp_cipher_ctx_st;

namespace penstock::tls {

enum ContentType : std::uint8_t { change_cipher_spec = 20, alert = 21, handshake = 22, application_data = 23 };

inline constexpr std::size_t kRecordHead = 5;
inline constexpr std::size_t kPlaintextMax = 16384;      // of one record
inline constexpr std::size_t kExpansionMax = 256;        // that encryption may add (RFC 8446 5.2)
inline constexpr std::size_t kSealOverheadMax = 8 + 16;  // that ours adds, without the head

// How one direction of a connection goes on after its handshake.
struct Direction {
    bool tls13 = true;
    Suite suite;
    Secret secret;      // TLS 1.3: the traffic secret, for KeyUpdate
    RecordKey key;              // kept for the kernel, should it take over
    std::uint64_t sequence = 0;
};

class RecordCipher {
public:
    RecordCipher(Direction direction, bool seals);
    RecordCipher(RecordCipher&&) noexcept;
    ~RecordCipher();

    // Appends one record with these bytes, at most kPlaintextMax, and takes them off `parts`.
    void seal(ContentType type, std::span<iovec>& parts, std::size_t count, Bytes& out);
    void seal(ContentType type, std::span<const std::uint8_t> bytes, Bytes& out);

    enum class Failure : std::uint8_t { none, too_short, forged, too_long, no_type };
    struct Opened {
        Failure failure = Failure::none;
        std::uint8_t type = 0;
        std::span<std::uint8_t> bytes;  // in the record
    };
    // A whole record, head and all.
    Opened open(std::span<std::uint8_t> record);

    // Goes on with the next traffic secret. TLS 1.3 only.
    void rekey();
    [[nodiscard]] const Direction& direction() const { return direction_; }

    // Another one goes on with the direction: nothing is sealed or opened here any more, but records are counted and keys are derived.
    void retire() { context_.reset(); }
    void count(std::uint64_t records) { direction_.sequence += records; }

private:
    void set_key();
    void nonce(std::uint8_t* out) const;
    // The associated data; its size.
    std::size_t associated(std::uint8_t* out, std::uint8_t type, std::size_t plaintext, const std::uint8_t* head) const;
    [[nodiscard]] bool explicit_nonce() const { return !direction_.tls13 && direction_.suite.cipher != Cipher::chacha20_poly1305; }

    Direction direction_;
    std::unique_ptr<evp_cipher_ctx_st, void (*)(evp_cipher_ctx_st*)> context_;
};

}  // namespace penstock::tls
