// SPDX-License-Identifier: Apache-2.0
#include "userspace/ring/buffer.hpp"

#include <linux/io_uring.h>
#include <sys/mman.h>

#include <atomic>

#include "userspace/base/assert.hpp"

namespace penstock::ring {

BufferPool::BufferPool(std::size_t bytes, unsigned hot, unsigned max) : bytes_(bytes), hot_(hot), max_(max) {
    PST_ASSERT(hot != 0 && (hot & (hot - 1)) == 0 && hot <= max && max <= 65535);
}

BufferPool::~BufferPool() {
    for (std::uint8_t* slab : slabs_) {
        ::munmap(slab, kSlab * bytes_);
    }
}

bool BufferPool::grow() {
    if (made_ >= max_) {
        return false;
    }
    // Pages come with the first write, so a large datagram buffer costs what its datagrams need.
    void* slab = ::mmap(nullptr, kSlab * bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (slab == MAP_FAILED) {
        return false;
    }
    slabs_.push_back(static_cast<std::uint8_t*>(slab));
    const unsigned count = std::min(kSlab, max_ - made_);
    notes_.resize(made_ + count);
    for (unsigned i = count; i-- > 0;) {
        free_.push_back(static_cast<std::uint16_t>(made_ + i));
    }
    made_ += count;
    return true;
}

std::optional<std::uint16_t> BufferPool::take() {
    if (free_.empty() && !grow()) {
        return std::nullopt;
    }
    const std::uint16_t id = free_.back();
    free_.pop_back();
    lent_++;
    return id;
}

void BufferPool::attach(io_uring_buf_ring* ring) {
    ring_ = ring;
    top_up();
}

void BufferPool::provide(std::uint16_t id) {
    // The array and the ring's head share their first bytes: the tail lies in the first entry's unused field.
    io_uring_buf& entry = reinterpret_cast<io_uring_buf*>(ring_)[ring_tail_ & (hot_ - 1)];
    entry.addr = reinterpret_cast<std::uint64_t>(data(id));
    entry.len = static_cast<std::uint32_t>(bytes_);
    entry.bid = id;
    provided_++;
    std::atomic_ref(ring_->tail).store(++ring_tail_, std::memory_order_release);
}

void BufferPool::top_up() {
    while (provided_ < hot_ && (!free_.empty() || grow())) {
        const std::uint16_t id = free_.back();
        free_.pop_back();
        provide(id);
    }
}

void BufferPool::taken_by_kernel(std::uint16_t id) {
    PST_ASSERT(id < made_ && provided_ > 0);
    provided_--;
    lent_++;
    if (provided_ < hot_ / 2) {
        top_up();
    }
}

bool BufferPool::available() {
    if (ring_ == nullptr) {
        return !free_.empty() || made_ < max_;
    }
    top_up();
    return provided_ > 0;
}

void BufferPool::give(std::uint16_t id) {
    PST_ASSERT(lent_ > 0);
    lent_--;
    if (ring_ != nullptr && provided_ < hot_) {
        provide(id);
    } else {
        free_.push_back(id);
    }
    revive_another();
}

}  // namespace penstock::ring
