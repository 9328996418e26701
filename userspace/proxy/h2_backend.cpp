// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/h2_backend.hpp"

#include <cerrno>
#include <string>

namespace penstock::proxy {

void H2Backend::start(const Outgoing& request) {
    http::Headers headers = request.headers;
    const std::string length = std::to_string(request.content_length);
    if (request.framing == http::Framing::length) {
        headers.add("content-length", length);
    }
    if (request.trailers) {
        headers.add("te", "trailers");
    }
    ended_ = request.framing == http::Framing::none;
    H2Link& link = upstream_->link();
    if (!link.ended() && link.session().can_open()) {
        stream_ = link.session().open({request.method, tls_ ? "https" : "http", request.host, request.target}, headers, ended_, *this);
    }
    if (stream_ == nullptr) {  // it has gone since it was chosen: nobody has seen the request
        unprocessed_ = true;
        source_.broken(ECONNRESET);
        return;
    }
    source_.attach(link, *stream_, 0);
    sink_.attach(link, *stream_);
}

http::Progress H2Backend::read_head() {
    if (malformed_) {
        return http::Progress::rejected;
    }
    if (responses_.empty()) {
        return http::Progress::more;
    }
    current_ = std::move(responses_.front());
    responses_.pop_front();
    return http::Progress::done;
}

void H2Backend::on_response(http::H2Response response) {
    if (response.ended) {
        source_.ended();
    }
    if (responses_.size() <= kInterimMax) {  // more is refused by whoever reads so many
        responses_.push_back(std::move(response));
    }
    source_.stir();
}

void H2Backend::on_reset(const http::H2Reset& reset) {
    malformed_ = reset.reject != http::Reject::none;
    unprocessed_ = reset.unprocessed;
    source_.broken(ECONNRESET);
    let_go();
}

void H2Backend::end(const http::Headers& trailers) {
    if (!ended_) {
        sink_.end(trailers);
    }
}

void H2Backend::let_go() {
    if (stream_ != nullptr) {
        source_.detach();
        sink_.detach();
        std::exchange(stream_, nullptr)->release();
        upstream_->link().wake();
    }
}

void H2Backend::finish(bool whole) {
    if (!whole) {
        close();
    } else {
        let_go();
    }
}

void H2Backend::close() {
    if (stream_ != nullptr) {
        stream_->reset(http::H2Code::cancel);
        source_.broken(ECANCELED);
        let_go();
    }
}

}  // namespace penstock::proxy
