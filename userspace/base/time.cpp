// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/time.hpp"

#include <chrono>
#include <ctime>

namespace penstock {

std::string rfc3339(std::int64_t unix_s) {
    const std::time_t time = unix_s;
    std::tm utc = {};
    ::gmtime_r(&time, &utc);
    char text[32];
    const std::size_t size = std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
    return {text, size};
}

std::int64_t unix_us_now() { return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count(); }

}  // namespace penstock
