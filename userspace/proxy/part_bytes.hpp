// SPDX-License-Identifier: Apache-2.0
// Bytes of a part to its table: verified before anything is read.
#pragma once

#include <span>

#include "userspace/base/result.hpp"
#include "userspace/proxy/tables.hpp"

namespace penstock::proxy {

inline Error invalid_part(std::string what) { return Error{.code = Errc::invalid, .what = std::move(what)}; }

template <class Table>
Result<const Table*> verified(std::span<const std::uint8_t> bytes) {
    flatbuffers::Verifier verifier(bytes.data(), bytes.size(), 64, 10'000'000);
    if (bytes.size() > kPartBytesMax || !verifier.VerifyBuffer<Table>(nullptr)) {
        return invalid_part("its bytes are no valid FlatBuffer");
    }
    return flatbuffers::GetRoot<Table>(bytes.data());
}

}  // namespace penstock::proxy
