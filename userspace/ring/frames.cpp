// SPDX-License-Identifier: Apache-2.0
#include "userspace/ring/frames.hpp"

#include <array>
#include <new>

namespace penstock::ring {

namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kKeep = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr bool kKeep = false;
#else
constexpr bool kKeep = true;
#endif
#else
constexpr bool kKeep = true;
#endif

constexpr std::size_t kStep = 64;
constexpr std::size_t kClasses = 64;      // frames up to 4 KiB are kept
constexpr std::size_t kKeptMax = 4096;    // frames of one size; more go back to the heap after a peak

struct FreeFrame {
    FreeFrame* next;
};

struct FreeLists {
    std::array<FreeFrame*, kClasses> first = {};
    std::array<std::size_t, kClasses> count = {};
    ~FreeLists() {
        for (FreeFrame*& list : first) {
            while (list != nullptr) {
                FreeFrame* frame = list;
                list = frame->next;
                ::operator delete(frame);
            }
        }
    }
};

thread_local FreeLists lists;

constexpr std::size_t size_class(std::size_t bytes) { return (bytes + kStep - 1) / kStep; }

}  // namespace

void* frame_allocate(std::size_t bytes) {
    const std::size_t c = size_class(bytes);
    if (!kKeep || c >= kClasses || lists.first[c] == nullptr) {
        return ::operator new(c * kStep);
    }
    FreeFrame* frame = lists.first[c];
    lists.first[c] = frame->next;
    lists.count[c]--;
    return frame;
}

void frame_free(void* frame, std::size_t bytes) noexcept {
    const std::size_t c = size_class(bytes);
    if (!kKeep || c >= kClasses || lists.count[c] >= kKeptMax) {
        ::operator delete(frame);
        return;
    }
    lists.first[c] = new (frame) FreeFrame{lists.first[c]};
    lists.count[c]++;
}

}  // namespace penstock::ring
