// SPDX-License-Identifier: Apache-2.0
// The access log of one worker thread: lines gather here and leave for the writer in large pieces, or when the oldest has waited a moment.
// Nothing here waits for anybody.
#pragma once

#include <string>

#include "schema/snapshot_generated.h"
#include "schema/stats_page.hpp"
#include "userspace/proxy/line_writer.hpp"
#include "userspace/ring/loop.hpp"

namespace penstock::proxy {

namespace fb = penstock::snapshot;
struct Record;

class AccessLog {
public:
    AccessLog(ring::Loop& loop, SlotStats& stats) : loop_(loop), stats_(stats), alarm_(*this) {}
    AccessLog(const AccessLog&) = delete;
    ~AccessLog();

    // Where lines go; null: nowhere. It outlives this.
    void write_to(LineWriter* writer) { writer_ = writer; }
    // `dice`: a random number that decides about a request without an error.
    void write(const Record& record, const fb::AccessLogT& settings, std::uint64_t dice);

private:
    struct Alarm : ring::Timer {
        explicit Alarm(AccessLog& owner);
        AccessLog& log;
    };
    void flush();

    ring::Loop& loop_;
    SlotStats& stats_;
    LineWriter* writer_ = nullptr;
    std::string lines_;
    Alarm alarm_;
};

}  // namespace penstock::proxy
