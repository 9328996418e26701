// SPDX-License-Identifier: Apache-2.0
// The field Date of an answer that came, or was made, without one (RFC 9110 6.6.1).
#pragma once

#include <ctime>
#include <string>
#include <string_view>

#include "userspace/http/headers.hpp"

namespace penstock::proxy {

std::string date_of(std::time_t unix_s);  // "Sun, 06 Nov 1994 08:49:37 GMT"

// The present, made once a second in each thread. Both are good until the thread waits: the head is to be written at once.
std::string_view date_now();
void add_date(http::Headers& headers);  // unless there is one

}  // namespace penstock::proxy
