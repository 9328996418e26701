// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/h1_backend.hpp"

namespace penstock::proxy {

void H1Backend::start(const Outgoing& request) {
    sink_.start(request.framing == http::Framing::chunked);
    sink_.text().reserve(1024);
    write_head(sink_.text(), request);
    sink_.queue_text();
    parser_.expect(request.method);
}

http::Progress H1Backend::read_head() {
    if (head_done_) {  // an interim one was before
        head_.clear();
        parser_.reset();
        head_done_ = false;
    }
    const std::string_view fresh = stream_.data();
    if (fresh.empty()) {
        return http::Progress::more;
    }
    const std::size_t before = head_.size();
    if (before != 0) {
        head_ += fresh;
    }
    const http::Progress progress = parser_.parse(before != 0 ? std::string_view(head_) : fresh);
    if (progress == http::Progress::more) {
        if (before == 0) {
            head_ = fresh;
        }
        stream_.consume(fresh.size());
    } else if (progress == http::Progress::done) {
        stream_.consume(parser_.size() - before);
        head_done_ = true;
        source_.start(head().framing, head().content_length, http::Limits{});
    }
    return progress;
}

void H1Backend::start_tunnel() {
    source_.start(http::Framing::until_close, 0, http::Limits{});
    sink_.start(false);
    sink_.start_raw();
}

void H1Backend::finish(bool whole) {
    if (whole && !place_.client && parser_.head().keep_alive && source_.complete() && stream_.data().empty()) {
        context_.pool.give(place_, std::move(stream_), std::chrono::milliseconds(context_.tables->limits.backend_idle_ms),
                           context_.tables->limits.pool_idle_per_backend_max);
    } else {
        stream_.close();
    }
}

}  // namespace penstock::proxy
