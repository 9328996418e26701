// SPDX-License-Identifier: Apache-2.0
// Buffers of records and memory of keys.
#pragma once

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "userspace/base/assert.hpp"

namespace penstock::tls {

// Leaves new elements as they are: what grows here is written at once, and zeroes first would cost a tenth of the encryption.
template <class T>
struct Uninitialized : std::allocator<T> {
    template <class Other>
    struct rebind {
        using other = Uninitialized<Other>;
    };
    template <class Other>
    void construct(Other* place) {
        ::new (static_cast<void*>(place)) Other;
    }
    template <class Other, class... Arguments>
    void construct(Other* place, Arguments&&... arguments) {
        ::new (static_cast<void*>(place)) Other(std::forward<Arguments>(arguments)...);
    }
};
using Bytes = std::vector<std::uint8_t, Uninitialized<std::uint8_t>>;

// insert() would construct them one by one.
inline void append(Bytes& to, std::span<const std::uint8_t> bytes) {
    if (!bytes.empty()) {
        const std::size_t before = to.size();
        to.resize(before + bytes.size());
        std::memcpy(to.data() + before, bytes.data(), bytes.size());
    }
}

// A key or a secret: up to 48 bytes, zeroed when they go.
class Secret {
public:
    static constexpr std::size_t kMax = 48;

    Secret() = default;
    explicit Secret(std::span<const std::uint8_t> bytes) : size_(static_cast<std::uint8_t>(bytes.size())) {
        PST_ASSERT(bytes.size() <= kMax);
        std::copy(bytes.begin(), bytes.end(), bytes_.begin());
    }
    Secret(const Secret&) = default;
    Secret& operator=(const Secret&) = default;
    ~Secret() { OPENSSL_cleanse(bytes_.data(), size_); }

    [[nodiscard]] std::span<const std::uint8_t> bytes() const { return std::span(bytes_).first(size_); }
    [[nodiscard]] bool empty() const { return size_ == 0; }

private:
    std::array<std::uint8_t, kMax> bytes_ = {};
    std::uint8_t size_ = 0;
};

}  // namespace penstock::tls
