// SPDX-License-Identifier: Apache-2.0
// Cuts received bytes into records. A record that lies whole in the bytes is left there; one that came in pieces is put together in
// memory of its own, which is kept until release(). Nothing is read beyond a record's head before its length was found possible.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "userspace/tls/bytes.hpp"

namespace penstock::tls {

class Framer {
public:
    // Only when the bytes before are used up (next() said none). They stay the caller's, to decrypt in, until release().
    void feed(std::span<std::uint8_t> bytes) { input_ = bytes; }

    enum class Found : std::uint8_t { record, none, too_long, no_record };
    struct Next {
        Found found = Found::none;
        std::span<std::uint8_t> record = {};  // with its head
    };
    Next next();

    // Records given so far are void.
    void release() { whole_.clear(); }
    // How many more bytes are certain to belong to the record (or its head) that has begun; 0: none has. Only when next() said none.
    [[nodiscard]] std::size_t missing() const;

private:
    std::span<std::uint8_t> input_;
    Bytes partial_;              // the beginning of a record
    std::vector<Bytes> whole_;   // records that came in pieces
};

}  // namespace penstock::tls
