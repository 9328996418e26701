// SPDX-License-Identifier: Apache-2.0
// Messages of keeper.fbs to bytes and back. What comes from another process is verified before it is looked at.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "schema/keeper_generated.h"

namespace penstock::keeper {

// encode(HelloT{...}): the bytes of one message.
template <class Table>
std::vector<std::uint8_t> encode(Table table) {
    MessageT message;
    message.body.Set(std::move(table));
    flatbuffers::FlatBufferBuilder builder;
    builder.Finish(Message::Pack(builder, &message));
    return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
}

// Null if the bytes are no valid message.
inline std::unique_ptr<MessageT> decode(std::span<const std::uint8_t> bytes) {
    flatbuffers::Verifier verifier(bytes.data(), bytes.size(), 16, 100000);
    if (!VerifyMessageBuffer(verifier)) {
        return nullptr;
    }
    const Message* message = GetMessage(bytes.data());
    if (message->body_type() == Body::NONE) {
        return nullptr;
    }
    return std::unique_ptr<MessageT>(message->UnPack());
}

}  // namespace penstock::keeper
