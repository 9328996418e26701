// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/access_log.hpp"

#include <utility>

#include "userspace/proxy/access_line.hpp"

namespace penstock::proxy {

namespace {

constexpr std::size_t kPiece = 16384;  // bytes that leave at once
constexpr auto kPause = std::chrono::milliseconds(100);

// Ours, or of the backend: what somebody will look for.
bool is_error(const Record& record) { return record.reason || record.status >= 500 || record.status == 0; }

std::int64_t unix_us() { return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count(); }

}  // namespace

AccessLog::Alarm::Alarm(AccessLog& owner) : Timer([](Timer& timer) { static_cast<Alarm&>(timer).log.flush(); }), log(owner) {}

AccessLog::~AccessLog() { flush(); }

void AccessLog::write(const Record& record, const fb::AccessLogT& settings, std::uint64_t dice) {
    if (writer_ == nullptr || (!is_error(record) && dice % 1'000'000 >= settings.sample_per_million)) {
        return;
    }
    if (lines_.empty()) {
        lines_.reserve(kPiece + 1024);
        loop_.timers().arm(alarm_, loop_.after(kPause));
    }
    if (settings.format == fb::LogFormat::Json) {
        write_json_line(lines_, record, unix_us());
    } else {
        write_text_line(lines_, record, unix_us());
    }
    count(stats_.log_lines);
    if (lines_.size() >= kPiece) {
        flush();
    }
}

void AccessLog::flush() {
    loop_.timers().disarm(alarm_);
    if (!lines_.empty()) {
        count(stats_.log_lines_lost, writer_->put(std::exchange(lines_, {})));
    }
}

}  // namespace penstock::proxy
