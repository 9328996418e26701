// SPDX-License-Identifier: Apache-2.0
// Memory of coroutine frames: free lists by size, one set per thread, so a nested call costs a few instructions.
// Under AddressSanitizer frames come from the heap, or a use after the end of a coroutine would go unseen.
#pragma once

#include <cstddef>

namespace penstock::ring {

void* frame_allocate(std::size_t bytes);
void frame_free(void* frame, std::size_t bytes) noexcept;

}  // namespace penstock::ring
