// SPDX-License-Identifier: Apache-2.0
#include "userspace/tls/record_cipher.hpp"

#include <cstring>

#include "userspace/tls/openssl.hpp"

namespace penstock::tls {

namespace {

constexpr std::size_t kTag = 16;
constexpr std::size_t kExplicitNonce = 8;
constexpr std::size_t kAssociatedMax = 13;

// Fetched once, and for good.
const EVP_CIPHER* fetched(Cipher cipher) {
    static const EVP_CIPHER* const aes128 = EVP_CIPHER_fetch(nullptr, "AES-128-GCM", nullptr);
    static const EVP_CIPHER* const aes256 = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
    static const EVP_CIPHER* const chacha20 = EVP_CIPHER_fetch(nullptr, "ChaCha20-Poly1305", nullptr);
    switch (cipher) {
        case Cipher::aes128_gcm: return aes128;
        case Cipher::aes256_gcm: return aes256;
        case Cipher::chacha20_poly1305: break;
    }
    return chacha20;
}

void put64(std::uint8_t* out, std::uint64_t value) {
    for (int i = 7; i >= 0; --i) {
        out[i] = static_cast<std::uint8_t>(value);
        value >>= 8;
    }
}

}  // namespace

RecordCipher::RecordCipher(Direction direction, bool seals) : direction_(std::move(direction)), context_(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free) {
    PST_ASSERT(context_ != nullptr && EVP_CipherInit_ex(context_.get(), fetched(direction_.suite.cipher), nullptr, nullptr, nullptr, seals ? 1 : 0) == 1);
    set_key();
}
RecordCipher::RecordCipher(RecordCipher&&) noexcept = default;
RecordCipher::~RecordCipher() = default;

void RecordCipher::set_key() {
    PST_ASSERT(EVP_CipherInit_ex(context_.get(), nullptr, nullptr, direction_.key.key.bytes().data(), nullptr, -1) == 1);
}

void RecordCipher::rekey() {
    direction_.secret = next_secret(direction_.suite, direction_.secret);
    direction_.key = record_key(direction_.suite, direction_.secret);
    direction_.sequence = 0;
    if (context_ != nullptr) {
        set_key();
    }
}

// The sequence number into the last eight bytes of the IV; TLS 1.2 with GCM has them empty and sends them along.
void RecordCipher::nonce(std::uint8_t* out) const {
    std::uint8_t sequence[8];
    put64(sequence, direction_.sequence);
    std::memcpy(out, direction_.key.iv.data(), direction_.key.iv.size());
    for (std::size_t i = 0; i < sizeof sequence; ++i) {
        out[4 + i] ^= sequence[i];
    }
}

std::size_t RecordCipher::associated(std::uint8_t* out, std::uint8_t type, std::size_t plaintext, const std::uint8_t* head) const {
    if (direction_.tls13) {
        std::memcpy(out, head, kRecordHead);
        return kRecordHead;
    }
    put64(out, direction_.sequence);
    out[8] = type;
    out[9] = head[1];
    out[10] = head[2];
    out[11] = static_cast<std::uint8_t>(plaintext >> 8);
    out[12] = static_cast<std::uint8_t>(plaintext);
    return kAssociatedMax;
}

void RecordCipher::seal(ContentType type, std::span<const std::uint8_t> bytes, Bytes& out) {
    iovec one = {const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
    std::span<iovec> parts(&one, 1);
    seal(type, parts, bytes.size(), out);
}

void RecordCipher::seal(ContentType type, std::span<iovec>& parts, std::size_t count, Bytes& out) {
    const std::size_t in_front = explicit_nonce() ? kExplicitNonce : 0;
    const std::size_t body = in_front + count + (direction_.tls13 ? 1 : 0) + kTag;
    const std::size_t start = out.size();
    out.resize(start + kRecordHead + body);
    std::uint8_t* at = out.data() + start;
    at[0] = direction_.tls13 ? static_cast<std::uint8_t>(application_data) : static_cast<std::uint8_t>(type);
    at[1] = 3;
    at[2] = 3;
    at[3] = static_cast<std::uint8_t>(body >> 8);
    at[4] = static_cast<std::uint8_t>(body);

    std::uint8_t iv[12];
    std::uint8_t data[kAssociatedMax];
    nonce(iv);
    const std::size_t data_size = associated(data, type, count, at);
    at += kRecordHead;
    if (in_front != 0) {
        std::memcpy(at, iv + 4, in_front);
        at += in_front;
    }
    EVP_CIPHER_CTX* context = context_.get();
    int written = 0;
    bool good = EVP_CipherInit_ex(context, nullptr, nullptr, nullptr, iv, -1) == 1 && EVP_CipherUpdate(context, nullptr, &written, data, static_cast<int>(data_size)) == 1;
    while (count != 0) {
        iovec& part = parts.front();
        const std::size_t take = std::min(count, part.iov_len);
        if (take != 0) {
            good = good && EVP_CipherUpdate(context, at, &written, static_cast<const unsigned char*>(part.iov_base), static_cast<int>(take)) == 1;
            at += take;
            count -= take;
            part = {static_cast<char*>(part.iov_base) + take, part.iov_len - take};
        }
        if (part.iov_len == 0) {
            parts = parts.subspan(1);
        }
    }
    if (direction_.tls13) {
        const std::uint8_t inner = type;
        good = good && EVP_CipherUpdate(context, at, &written, &inner, 1) == 1;
        ++at;
    }
    good = good && EVP_CipherFinal_ex(context, at, &written) == 1 && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kTag, at) == 1;
    PST_ASSERT(good);  // memory aside nothing here can fail
    ++direction_.sequence;
}

RecordCipher::Opened RecordCipher::open(std::span<std::uint8_t> record) {
    const std::size_t in_front = explicit_nonce() ? kExplicitNonce : 0;
    if (record.size() < kRecordHead + in_front + (direction_.tls13 ? 1 : 0) + kTag) {
        return {Failure::too_short, 0, {}};
    }
    const std::uint8_t* head = record.data();
    std::span<std::uint8_t> bytes = record.subspan(kRecordHead + in_front, record.size() - kRecordHead - in_front - kTag);
    std::uint8_t iv[12];
    std::uint8_t data[kAssociatedMax];
    nonce(iv);
    if (in_front != 0) {
        std::memcpy(iv + 4, head + kRecordHead, in_front);
    }
    const std::size_t data_size = associated(data, head[0], bytes.size(), head);
    EVP_CIPHER_CTX* context = context_.get();
    int written = 0;
    const bool good = EVP_CipherInit_ex(context, nullptr, nullptr, nullptr, iv, -1) == 1 &&
                      EVP_CipherUpdate(context, nullptr, &written, data, static_cast<int>(data_size)) == 1 &&
                      (bytes.empty() || EVP_CipherUpdate(context, bytes.data(), &written, bytes.data(), static_cast<int>(bytes.size())) == 1) &&
                      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kTag, bytes.data() + bytes.size()) == 1 &&
                      EVP_CipherFinal_ex(context, bytes.data() + bytes.size(), &written) == 1;
    if (!good) {
        ERR_clear_error();
        return {Failure::forged, 0, {}};
    }
    ++direction_.sequence;
    std::uint8_t type = head[0];
    if (direction_.tls13) {
        // The content's type is the last byte that is not padding.
        while (!bytes.empty() && bytes.back() == 0) {
            bytes = bytes.first(bytes.size() - 1);
        }
        if (bytes.empty()) {
            return {Failure::no_type, 0, {}};
        }
        type = bytes.back();
        bytes = bytes.first(bytes.size() - 1);
    }
    return {bytes.size() > kPlaintextMax ? Failure::too_long : Failure::none, type, bytes};
}

}  // namespace penstock::tls
