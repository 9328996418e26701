// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/date.hpp"

#include <fmt/format.h>

#include "userspace/base/assert.hpp"

namespace penstock::proxy {

std::string date_of(std::time_t unix_s) {
    // Not strftime's names, which are the locale's.
    static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::tm at = {};
    PST_ASSERT(::gmtime_r(&unix_s, &at) != nullptr);
    return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays[at.tm_wday], at.tm_mday, kMonths[at.tm_mon], at.tm_year + 1900, at.tm_hour, at.tm_min, at.tm_sec);
}

std::string_view date_now() {
    thread_local std::time_t second = -1;
    thread_local std::string text;
    if (const std::time_t now = std::time(nullptr); now != second) {
        text = date_of(now);
        second = now;
    }
    return text;
}

void add_date(http::Headers& headers) {
    if (!headers.has("date")) {
        headers.add("date", date_now());
    }
}

}  // namespace penstock::proxy
