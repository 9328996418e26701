// SPDX-License-Identifier: Apache-2.0
#include "userspace/http/h2_memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace penstock::http {

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kBuffer = 5 * kPage;  // nghttp2 asks for 16 KiB and some bytes
constexpr std::size_t kBuffersInRegion = 64;
constexpr std::size_t kRegion = kBuffer * kBuffersInRegion;

// Buffers of a thread. Regions stay: what was touched of a buffer is used again by the next connection.
class Buffers {
public:
    Buffers() = default;
    Buffers(const Buffers&) = delete;
    Buffers& operator=(const Buffers&) = delete;
    ~Buffers() {
        for (char* region : regions_) {
            ::munmap(region, kRegion);
        }
    }

    void* take() {
        if (free_.empty() && !add_region()) {  // the heap is next
            return nullptr;
        }
        char* buffer = free_.back();
        free_.pop_back();
        return buffer;
    }
    void give(void* buffer) { free_.push_back(static_cast<char*>(buffer)); }
    [[nodiscard]] bool owns(const void* memory) const {
        if (reinterpret_cast<std::uintptr_t>(memory) % kPage != 0) {
            return false;
        }
        for (const char* region : regions_) {
            if (memory >= region && memory < region + kRegion) {
                return true;
            }
        }
        return false;
    }

private:
    bool add_region() {
        void* region = ::mmap(nullptr, kRegion, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (region == MAP_FAILED) {
            return false;
        }
        regions_.push_back(static_cast<char*>(region));
        for (std::size_t i = kBuffersInRegion; i-- > 0;) {
            free_.push_back(static_cast<char*>(region) + i * kBuffer);
        }
        return true;
    }

    std::vector<char*> free_, regions_;
};

thread_local Buffers buffers;

void* take(std::size_t size, void*) {
    void* buffer = size > kBuffer - kPage && size <= kBuffer ? buffers.take() : nullptr;
    return buffer != nullptr ? buffer : std::malloc(size);
}

void give(void* memory, void*) {
    if (buffers.owns(memory)) {
        buffers.give(memory);
    } else {
        std::free(memory);
    }
}

void* take_zeroed(std::size_t count, std::size_t size, void*) { return std::calloc(count, size); }

void* resize(void* memory, std::size_t size, void* user) {
    if (memory == nullptr) {
        return take(size, user);  // how nghttp2 asks for its frame buffer
    }
    if (!buffers.owns(memory)) {
        return std::realloc(memory, size);
    }
    void* larger = std::malloc(size);
    if (larger != nullptr) {
        std::memcpy(larger, memory, std::min(size, kBuffer));
        give(memory, user);
    }
    return larger;
}

}  // namespace

nghttp2_mem* h2_memory() {
    static nghttp2_mem memory{nullptr, take, give, take_zeroed, resize};
    return &memory;
}

}  // namespace penstock::http
