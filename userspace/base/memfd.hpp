// SPDX-License-Identifier: Apache-2.0
// Sealed memory files: how bytes that nobody may change any more cross a process boundary.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "userspace/base/fd.hpp"
#include "userspace/base/result.hpp"

namespace penstock {

// An empty memfd that can be filled once. `name` is for /proc only, which cuts it at 249 bytes.
Result<Fd> empty_memfd(const std::string& name);
// Fills it and seals it against writing, growing, shrinking and unsealing.
Status fill_and_seal(const Fd& memfd, std::span<const std::uint8_t> bytes);
// Both.
Result<Fd> sealed_memfd(const std::string& name, std::span<const std::uint8_t> bytes);

// What is in a sealed memfd: a small one is read, a larger one mapped. Owns its memory, not the descriptor. What was read is
// overwritten at the end: it may be a key.
class SealedBytes {
public:
    SealedBytes() = default;
    SealedBytes(SealedBytes&& other) noexcept;
    SealedBytes& operator=(SealedBytes&& other) noexcept;
    ~SealedBytes();

    // Refuses a file that lacks the seals of fill_and_seal (its bytes could change under the reader) or is larger than `limit`.
    static Result<SealedBytes> of(int fd, std::size_t limit);

    [[nodiscard]] std::span<const std::uint8_t> bytes() const { return {data_, size_}; }

private:
    Status read(int fd);
    Status map(int fd);

    std::uint8_t* data_ = nullptr;
    std::size_t size_ = 0;
    bool mapped_ = false;
};

}  // namespace penstock
