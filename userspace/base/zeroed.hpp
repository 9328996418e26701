// SPDX-License-Identifier: Apache-2.0
// A large object of zeros that takes memory only where it is written. Its constructor does not run: all that is in it must be good as zeros,
// as atomics and numbers are.
#pragma once

#include <sys/mman.h>

#include <memory>

#include "userspace/base/result.hpp"

namespace penstock {

template <class T>
struct Unmap {
    void operator()(T* object) const { ::munmap(object, sizeof(T)); }
};

template <class T>
using Zeroed = std::unique_ptr<T, Unmap<T>>;

template <class T>
Result<Zeroed<T>> zeroed() {
    void* memory = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return sys_error("map memory");
    }
    return Zeroed<T>(static_cast<T*>(memory));
}

}  // namespace penstock
