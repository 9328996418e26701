// SPDX-License-Identifier: Apache-2.0
// PST_ASSERT states what only a mistake of ours can break. It stays on in release builds; never use it on input.
#pragma once

namespace penstock {
[[noreturn]] void assert_failed(const char* condition, const char* file, int line);
}

#define PST_ASSERT(condition) \
    (static_cast<bool>(condition) ? void(0) : ::penstock::assert_failed(#condition, __FILE__, __LINE__))
