// SPDX-License-Identifier: Apache-2.0
// nghttp2's memory. Each session holds a buffer for the largest frame, of which heads and DATA that are not copied touch the first page
// only. From the heap it would take up memory that others have touched, so it has pages of its own: an idle connection costs 16 KiB, not 28.
// Internal to h2_*.cpp.
#pragma once

#include <nghttp2/nghttp2.h>

namespace penstock::http {

// A session must end on the thread that began it.
nghttp2_mem* h2_memory();

}  // namespace penstock::http
