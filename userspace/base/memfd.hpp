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

// A memfd with these bytes, sealed against writing, growing, shrinking and unsealing. `name` is for /proc only.
Result<Fd> sealed_memfd(const std::string& name, std::span<const std::uint8_t> bytes);

// A read-only mapping of a whole memfd. Owns the mapping, not the descriptor.
class Mapping {
public:
    Mapping() = default;
    Mapping(Mapping&& other) noexcept;
    Mapping& operator=(Mapping&& other) noexcept;
    ~Mapping();

    // Refuses a file that lacks the seals of sealed_memfd (its bytes could change under the reader) or is larger than `limit`.
    static Result<Mapping> of_sealed(int fd, std::size_t limit);

    [[nodiscard]] std::span<const std::uint8_t> bytes() const { return {data_, size_}; }

private:
    const std::uint8_t* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace penstock
