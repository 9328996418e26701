// SPDX-License-Identifier: Apache-2.0
// Gives memory back to the kernel that thousands of things have left over. Not after each change: it takes milliseconds, and other threads that
// need memory wait meanwhile.
#pragma once

#include <malloc.h>

#include <algorithm>
#include <cstddef>

namespace penstock {

class Trimmer {
public:
    // Whether there are many more `things`, or many fewer, than when memory was last given back.
    [[nodiscard]] bool due(std::size_t things) const { return std::max(things, last_) - std::min(things, last_) >= kMany; }
    void trim(std::size_t things) {
        last_ = things;
        ::malloc_trim(0);
    }

private:
    static constexpr std::size_t kMany = 1000;
    std::size_t last_ = 0;
};

}  // namespace penstock
