// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace penstock {
void assert_failed(const char* condition, const char* file, int line) {
    std::fprintf(stderr, "bug: %s:%d: assertion failed: %s\n", file, line, condition);
    std::abort();
}
}  // namespace penstock
