// SPDX-License-Identifier: Apache-2.0
// Receive buffers of one loop. A Buffer lends one to a coroutine and returns it when it dies.
// The kernel (or recv) fills from a small hot set; while buffers are lent the pool grows by slabs up to a limit, so some
// slow readers cost memory up to the limit and never the others' service. At the limit receivers wait for a return.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "userspace/ring/list.hpp"

struct io_uring_buf_ring;

namespace penstock::ring {

class BufferPool;

class Buffer {
public:
    Buffer() = default;
    Buffer(BufferPool& pool, std::uint16_t id, std::uint8_t* data, std::size_t size)
        : pool_(&pool), data_(data), size_(static_cast<std::uint32_t>(size)), id_(id) {}
    Buffer(Buffer&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)), data_(other.data_), size_(std::exchange(other.size_, 0)), id_(other.id_) {}
    Buffer& operator=(Buffer&& other) noexcept {
        if (this != &other) {
            reset();
            pool_ = std::exchange(other.pool_, nullptr);
            data_ = other.data_;
            size_ = std::exchange(other.size_, 0);
            id_ = other.id_;
        }
        return *this;
    }
    ~Buffer() { reset(); }

    [[nodiscard]] bool empty() const { return size_ == 0; }
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] std::uint8_t* data() const { return data_; }
    [[nodiscard]] std::span<std::uint8_t> bytes() const { return {data_, size_}; }
    [[nodiscard]] std::string_view view() const { return {reinterpret_cast<const char*>(data_), size_}; }
    // Drops bytes at the front that are done with; count <= size().
    void remove_prefix(std::size_t count) {
        data_ += count;
        size_ -= static_cast<std::uint32_t>(count);
    }
    void truncate(std::size_t size) { size_ = static_cast<std::uint32_t>(size); }
    // Gives the memory back to the pool; empty afterwards.
    void reset();

private:
    BufferPool* pool_ = nullptr;
    std::uint8_t* data_ = nullptr;
    std::uint32_t size_ = 0;
    std::uint16_t id_ = 0;
};

// Somebody who could not get a buffer; called once, after it left the list, when one came back.
class Starved : public ListNode {
public:
    virtual void revive() = 0;

protected:
    ~Starved() = default;
};

class BufferPool {
public:
    // `hot` is a power of two; `max` <= 65535; both count buffers of `bytes` each.
    BufferPool(std::size_t bytes, unsigned hot, unsigned max);
    BufferPool(const BufferPool&) = delete;
    ~BufferPool();

    // A buffer to fill (epoll); none at the limit.
    std::optional<std::uint16_t> take();
    // A buffer that the kernel took from the ring has arrived filled, or unused (then give it).
    void taken_by_kernel(std::uint16_t id);
    void give(std::uint16_t id);

    // From now on free buffers lie in the ring of `hot` entries that the kernel takes from.
    void attach(io_uring_buf_ring* ring);

    [[nodiscard]] std::uint8_t* data(std::uint16_t id) const {
        return slabs_[id / kSlab] + static_cast<std::size_t>(id % kSlab) * bytes_;
    }
    [[nodiscard]] std::size_t buffer_bytes() const { return bytes_; }
    [[nodiscard]] unsigned lent() const { return lent_; }
    [[nodiscard]] unsigned max() const { return max_; }
    [[nodiscard]] unsigned made() const { return made_; }  // buffers that exist
    // False: the next receive fails for want of a buffer.
    [[nodiscard]] bool available();
    // A quarter is lent: from now on no reader gets more than one ahead.
    [[nodiscard]] bool pressed() const { return lent_ >= max_ / 4; }

    void wait(Starved& who) { starved_.push_back(who); }
    void revive_another() {
        if (!starved_.empty()) {
            starved_.pop_front().revive();
        }
    }

    // Queues of filled buffers (a socket's inbox): the link and the fill of each.
    [[nodiscard]] std::uint16_t& next(std::uint16_t id) { return notes_[id].next; }
    [[nodiscard]] std::uint32_t& filled(std::uint16_t id) { return notes_[id].filled; }

private:
    static constexpr unsigned kSlab = 64;
    struct Note {
        std::uint32_t filled = 0;
        std::uint16_t next = 0;
    };

    bool grow();
    void provide(std::uint16_t id);
    void top_up();

    std::size_t bytes_;
    unsigned hot_, max_;
    unsigned made_ = 0, lent_ = 0;
    unsigned provided_ = 0;  // in the kernel's ring
    std::uint16_t ring_tail_ = 0;
    io_uring_buf_ring* ring_ = nullptr;
    std::vector<std::uint8_t*> slabs_;
    std::vector<std::uint16_t> free_;
    std::vector<Note> notes_;
    List<Starved> starved_;
};

inline void Buffer::reset() {
    if (pool_ != nullptr) {
        std::exchange(pool_, nullptr)->give(id_);
        size_ = 0;
    }
}

}  // namespace penstock::ring
