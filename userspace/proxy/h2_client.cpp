// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/h2_client.hpp"

#include <array>
#include <charconv>

#include "userspace/proxy/date.hpp"
#include "userspace/proxy/websocket.hpp"

namespace penstock::proxy {

H2Client::H2Client(Context& context, H2Link& link, http::H2Stream& stream, http::H2Request request, const ClientFacts& facts, ring::Scope& scope)
    : context_(context), link_(link), stream_(&stream), request_(std::move(request)), facts_(facts), scope_(scope), source_(context.loop), sink_(context.loop) {
    stream.listen(this);
    source_.bytes.attach(link, stream, 0);
    sink_.attach(link, stream);
    for (const auto& field : request_.head.headers) {
        head_bytes_ += field.name.size() + field.value.size();
    }
    if (!request_.protocol.empty()) {
        ask_for_tunnel();
    } else if (request_.ended) {
        source_.bytes.ended();
    }
}

H2Client::~H2Client() {
    source_.bytes.detach();
    sink_.detach();
    stream_->release();
    link_.wake();
}

// RFC 8441 5: as the request of HTTP/1.1 that it stands for.
void H2Client::ask_for_tunnel() {
    http::RequestHead& head = request_.head;
    head.method = "GET";
    head.framing = http::Framing::none;
    head.upgrade = true;
    head.headers.add("upgrade", request_.protocol);
    websocket_key_ = make_websocket_key();
    head.headers.set("sec-websocket-key", websocket_key_);
    source_.held = true;
}

void H2Client::on_reset(const http::H2Reset& reset) {
    source_.bytes.detach();
    sink_.detach();
    source_.bytes.broken(ECONNRESET);
    context_.count_reason(reset.reject != http::Reject::none ? Reason::bad_request : Reason::client_closed);
    scope_.cancel();
}

void H2Client::start(const http::ResponseHead& head, bool /*last*/) {
    http::Headers headers = head.headers;
    std::array<char, 20> length;
    if (head.framing == http::Framing::length) {
        const char* const end = std::to_chars(length.data(), length.data() + length.size(), head.content_length).ptr;
        headers.add("content-length", {length.data(), static_cast<std::size_t>(end - length.data())});
    }
    add_date(headers);
    ended_ = head.framing == http::Framing::none;
    stream_->respond(head.status, headers, ended_);
}

void H2Client::interim(const http::ResponseHead& head) { stream_->interim(head.status, head.headers); }

void H2Client::start_tunnel(const http::ResponseHead& head) {
    http::Headers headers = head.headers;
    headers.remove("upgrade");
    headers.remove("sec-websocket-accept");
    add_date(headers);
    stream_->respond(200, headers, false);
    source_.held = false;
    if (request_.ended) {
        source_.bytes.ended();
    }
}

void H2Client::end(const http::Headers& trailers) {
    if (!ended_) {
        sink_.end(trailers);
    }
}

void H2Client::abort() {
    source_.bytes.detach();
    sink_.detach();
    stream_->reset(http::H2Code::internal_error);
    link_.wake();
}

}  // namespace penstock::proxy
