// SPDX-License-Identifier: Apache-2.0
#include "userspace/http/parser.hpp"

namespace penstock::http {

void ResponseParser::expect(std::string_view method) {
    to_head_ = method == "HEAD";
    to_connect_ = method == "CONNECT";
}

void ResponseParser::reset() {
    restart();
    Headers kept = std::move(head_.headers);
    kept.clear();
    head_ = ResponseHead();
    head_.headers = std::move(kept);
    have_line_ = false;
}

Progress ResponseParser::parse(std::string_view bytes) {
    while (reject_ == Reject::none) {
        Progress progress = next_line(bytes, limits_.head_bytes_max, Reject::head_too_large);
        if (progress != Progress::done) {
            return progress;
        }
        const std::string_view line = bytes.substr(line_begin_, line_end_ - line_begin_);
        if (have_line_ && line.empty()) {
            return finish(bytes);
        }
        progress = have_line_ ? header_line(line) : status_line(line);
        if (progress == Progress::rejected) {
            return progress;
        }
    }
    return Progress::rejected;
}

Progress ResponseParser::status_line(std::string_view line) {
    const auto digit = [&line](std::size_t at) { return line[at] >= '0' && line[at] <= '9'; };
    const bool shape = line.size() >= 12 && line.substr(0, 7) == "HTTP/1." && (line[7] == '0' || line[7] == '1') &&
                       line[8] == ' ' && digit(9) && digit(10) && digit(11) && line[9] != '0' &&
                       (line.size() == 12 || line[12] == ' ');
    if (!shape) {
        return refuse(Reject::bad_status_line);
    }
    if (!is_field_value(line.substr(12))) {
        return refuse(Reject::bad_status_line);
    }
    head_.minor = line[7] - '0';
    head_.status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
    reason_ = static_cast<std::uint32_t>(line_begin_ + std::min<std::size_t>(13, line.size()));
    reason_size_ = static_cast<std::uint32_t>(line.size() > 13 ? line.size() - 13 : 0);
    have_line_ = true;
    return Progress::done;
}

Progress ResponseParser::finish(std::string_view bytes) {
    head_.reason = bytes.substr(reason_, reason_size_);
    fill(bytes, head_.headers);
    if (const Reject why = check_framing(); why != Reject::none) {
        return refuse(why);
    }
    const Headers& fields = head_.headers;
    const bool close = uncertain_ || connection_has(fields, "close") || head_.framing == Framing::until_close;
    head_.keep_alive = !close && (head_.minor == 1 || connection_has(fields, "keep-alive"));
    return Progress::done;
}

Reject ResponseParser::check_framing() {
    const bool has_length = count(Known::content_length) != 0, has_encoding = count(Known::transfer_encoding) != 0;
    if (has_encoding && (has_length || head_.minor == 0)) {
        return Reject::bad_response;
    }
    if (has_encoding && parse_encoding(head_.headers) != Reject::none) {
        return Reject::bad_response;
    }
    if (has_length && parse_length(head_.headers, head_.content_length) != Reject::none) {
        return Reject::bad_response;
    }
    // 1xx and 204 have neither length nor coding. With one, what follows may be read as a body by somebody, and as an answer by us.
    const bool never = head_.status / 100 == 1 || head_.status == 204;
    const bool claims_body = never && (has_encoding || head_.content_length != 0);
    if (claims_body && head_.status != 204) {
        return Reject::bad_response;
    }
    uncertain_ = claims_body;
    const bool tunnel = head_.status == 101 || (to_connect_ && head_.status / 100 == 2);
    const bool bodiless = to_head_ || never || head_.status == 304;
    if (tunnel) {
        head_.framing = Framing::until_close;
    } else if (bodiless) {
        head_.framing = Framing::none;
    } else if (has_encoding) {
        head_.framing = Framing::chunked;
    } else if (has_length) {
        head_.framing = head_.content_length != 0 ? Framing::length : Framing::none;
    } else {
        head_.framing = Framing::until_close;
    }
    return Reject::none;
}

}  // namespace penstock::http
