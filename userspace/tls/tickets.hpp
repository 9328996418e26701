// SPDX-License-Identifier: Apache-2.0
// The keys that session tickets are sealed with (RFC 5077: AES-256-CBC and HMAC-SHA256), shared by every context, thread and node that
// is given the same ones. New tickets take the current key; the previous and the next one still open what they sealed, so that nodes
// may rotate at slightly different times. Keys are zeroed when they go.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

struct ssl_ctx_st;

namespace penstock::tls {

struct TicketKey {
    static constexpr std::size_t kBytes = 80;

    std::array<std::uint8_t, 16> name;  // public: it is in each ticket
    std::array<std::uint8_t, 32> aes;
    std::array<std::uint8_t, 32> mac;

    // 48 bytes (name and AES key), then 32 (MAC key). None if the size is another.
    static std::optional<TicketKey> parse(std::span<const std::uint8_t> bytes);
    static TicketKey random();
    TicketKey() = default;
    TicketKey(const TicketKey&) = default;
    TicketKey& operator=(const TicketKey&) = default;
    ~TicketKey();
};

// One object for a process; contexts refer to it, so a rotation builds nothing anew. Any thread may call any of its functions.
class TicketKeys {
public:
    TicketKeys() : TicketKeys({TicketKey::random()}) {}  // resumes in this process only
    explicit TicketKeys(std::vector<TicketKey> keys) { set(std::move(keys)); }

    // Current first, then those that only open. At least one.
    void set(std::vector<TicketKey> keys);

    // Makes the context seal and open its tickets with these keys. This must outlive it.
    void attach(ssl_ctx_st* context) const;

    struct Found {
        TicketKey key;
        bool current = false;
    };
    [[nodiscard]] TicketKey current() const;
    [[nodiscard]] std::optional<Found> find(std::span<const std::uint8_t, 16> name) const;

private:
    mutable std::mutex mutex_;
    std::vector<TicketKey> keys_;
};

}  // namespace penstock::tls
