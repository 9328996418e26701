// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/h1_client.hpp"

#include "userspace/proxy/date.hpp"

namespace penstock::proxy {

void H1Client::begin(const http::RequestHead& head, std::size_t head_bytes, const http::Limits& limits, bool last) {
    head_bytes_ = head_bytes;
    source_.start(head.framing, head.content_length, limits);
    minor_ = head.minor;
    wants_more_ = head.keep_alive && !last;
    keeps_ = false;
}

void H1Client::start(const http::ResponseHead& head, bool last) {
    http::Framing framing = head.framing;
    if (framing == http::Framing::until_close || framing == http::Framing::chunked) {
        framing = minor_ == 1 ? http::Framing::chunked : http::Framing::until_close;
    }
    keeps_ = wants_more_ && !last && source_.complete() && framing != http::Framing::until_close;
    sink_.start(framing == http::Framing::chunked);
    http::HeadWriter writer(sink_.text());
    writer.status(head.status, head.reason).headers(head.headers).framing(framing, head.content_length);
    if (!head.headers.has("date")) {
        writer.header("Date", date_now());
    }
    if (!keeps_) {
        writer.header("Connection", "close");
    } else if (minor_ == 0) {
        writer.header("Connection", "keep-alive");
    }
    writer.end();
    sink_.queue_text();
}

void H1Client::interim(const http::ResponseHead& head) {
    if (minor_ == 0) {
        return;
    }
    sink_.start(false);
    http::HeadWriter(sink_.text()).status(head.status, head.reason).headers(head.headers).end();
    sink_.queue_text();
}

void H1Client::start_tunnel(const http::ResponseHead& head) {
    sink_.start(false);
    const auto upgrade = head.headers.find("upgrade");
    http::Headers headers = head.headers;
    headers.remove("upgrade");
    http::HeadWriter(sink_.text())
        .status(101, head.reason)
        .headers(headers)
        .header("Connection", "upgrade")
        .header("Upgrade", upgrade.value_or("websocket"))
        .end();
    sink_.queue_text();
    sink_.start_raw();
    source_.start(http::Framing::until_close, 0, http::Limits{});
    keeps_ = false;
}

void H1Client::abort() {
    keeps_ = false;
    stream_.abort();
}

}  // namespace penstock::proxy
