// SPDX-License-Identifier: Apache-2.0
// A table made of its native form, for those who need one alone: tests, benches, gwctl.
#pragma once

#include <cstdint>
#include <span>

#include "schema/snapshot_generated.h"

namespace penstock::snapshot {

template <class Native>
class Packed {
public:
    using Table = typename Native::TableType;

    explicit Packed(const Native& native) { builder_.Finish(Table::Pack(builder_, &native)); }
    [[nodiscard]] std::span<const std::uint8_t> bytes() const { return {builder_.GetBufferPointer(), builder_.GetSize()}; }
    const Table& operator*() const { return *flatbuffers::GetRoot<Table>(builder_.GetBufferPointer()); }
    const Table* operator->() const { return &**this; }

private:
    flatbuffers::FlatBufferBuilder builder_;
};

}  // namespace penstock::snapshot
