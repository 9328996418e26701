// SPDX-License-Identifier: Apache-2.0
// Copy on write: whether what a pointer points to may be written in place.
#pragma once

#include <memory>

namespace penstock {

// True: nobody else has it, nor can come to, and what former owners on other threads did with it happened before this.
template <class T>
bool is_sole_owner(const std::shared_ptr<T>& pointer) {
    if (pointer.use_count() != 1) {
        return false;
    }
    // use_count() orders nothing. A copy that is dropped does: it changes the count that the last other owner changed, with acquire and release.
    std::shared_ptr<T>(pointer).reset();
    return true;
}

}  // namespace penstock
