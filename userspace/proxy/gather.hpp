// SPDX-License-Identifier: Apache-2.0
// What one send takes: a head, pieces of a body with their chunk framing, the last chunk. Holds views only; they must stay until it is sent.
#pragma once

#include <sys/uio.h>

#include <array>
#include <optional>
#include <span>
#include <string_view>

#include "userspace/http/writer.hpp"

namespace penstock::proxy {

class Gather {
public:
    explicit Gather(bool chunked) : chunked_(chunked) {}

    void restart(bool chunked) {
        clear();
        chunked_ = chunked;
    }
    [[nodiscard]] bool chunked() const { return chunked_; }
    // A head, or a last chunk; nothing is framed.
    void add_text(std::string_view text) { add(text); }
    // A piece of the body. Only when it has room.
    void add_piece(std::string_view data) {
        if (data.empty()) {
            return;
        }
        if (chunked_) {
            add(heads_[pieces_].emplace(data.size()).view());
        }
        add(data);
        if (chunked_) {
            add(http::kChunkEnd);
        }
        ++pieces_;
    }
    [[nodiscard]] bool has_room() const { return pieces_ < kPieces; }
    [[nodiscard]] bool empty() const { return used_ == 0; }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    [[nodiscard]] std::span<iovec> parts() { return std::span(parts_).first(used_); }
    void clear() { used_ = pieces_ = bytes_ = 0; }

private:
    static constexpr std::size_t kPieces = 8;
    void add(std::string_view text) {
        if (!text.empty()) {
            parts_[used_++] = {const_cast<char*>(text.data()), text.size()};
            bytes_ += text.size();
        }
    }

    bool chunked_;
    std::size_t used_ = 0, pieces_ = 0, bytes_ = 0;
    std::array<std::optional<http::ChunkHead>, kPieces> heads_;
    std::array<iovec, 3 * kPieces + 2> parts_;  // with a head and a last chunk
};

}  // namespace penstock::proxy
