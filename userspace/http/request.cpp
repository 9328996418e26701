// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/assert.hpp"
#include "userspace/http/parser.hpp"
#include "userspace/http/scan.hpp"

namespace penstock::http {

namespace {

// No method that long will end well: said before the rest of the line is there.
bool method_too_long(std::string_view line) {
    const std::string_view window = line.substr(0, kMethodMax + 1);
    return window.size() > kMethodMax && window.find(' ') == std::string_view::npos && window.find('\n') == std::string_view::npos;
}

// "HTTP/1.0" or "HTTP/1.1" gives 0 or 1.
Reject read_version(std::string_view text, int& minor) {
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    if (text.size() != 8 || text.substr(0, 5) != "HTTP/" || !digit(text[5]) || text[6] != '.' || !digit(text[7])) {
        return Reject::bad_version;
    }
    if (text[5] != '1' || text[7] > '1') {
        return Reject::unknown_version;
    }
    minor = text[7] - '0';
    return Reject::none;
}

}  // namespace

bool is_target_text(std::string_view target) {
    return !scan::any<scan::NotTarget>(target) && target.find("%00") == std::string_view::npos;
}

void RequestParser::reset() {
    restart();
    Headers kept = std::move(head_.headers);
    kept.clear();
    head_ = RequestHead();
    head_.headers = std::move(kept);
    have_line_ = skipped_empty_ = false;
}

Progress RequestParser::parse(std::string_view bytes) {
    while (reject_ == Reject::none) {
        if (!have_line_ && method_too_long(bytes.substr(at_))) {
            return refuse(Reject::bad_method);
        }
        Progress progress =
            next_line(bytes, limits_.head_bytes_max, have_line_ ? Reject::head_too_large : Reject::target_too_long);
        if (progress != Progress::done) {
            return progress;
        }
        const std::string_view line = bytes.substr(line_begin_, line_end_ - line_begin_);
        if (have_line_ && line.empty()) {
            return finish(bytes);
        }
        if (have_line_) {
            progress = header_line(line);
        } else if (line.empty() && !skipped_empty_) {
            skipped_empty_ = true;  // RFC 9112 2.2: old clients send one after a body
        } else {
            progress = request_line(line);
        }
        if (progress == Progress::rejected) {
            return progress;
        }
    }
    return Progress::rejected;
}

Progress RequestParser::request_line(std::string_view line) {
    const std::size_t first = line.find(' ');
    const std::size_t second = first == std::string_view::npos ? first : line.find(' ', first + 1);
    if (second == std::string_view::npos) {
        return refuse(Reject::bad_request_line);
    }
    const std::string_view method = line.substr(0, first), target = line.substr(first + 1, second - first - 1);
    if (!is_token(method)) {
        return refuse(Reject::bad_method);
    }
    if (target.empty()) {
        return refuse(Reject::bad_request_line);
    }
    if (!is_target_text(target)) {
        return refuse(Reject::bad_target);
    }
    if (const Reject why = read_version(line.substr(second + 1), head_.minor); why != Reject::none) {
        return refuse(why);
    }
    start_ = static_cast<std::uint32_t>(line_begin_);
    method_size_ = static_cast<std::uint32_t>(method.size());
    target_size_ = static_cast<std::uint32_t>(target.size());
    have_line_ = true;
    return Progress::done;
}

Progress RequestParser::finish(std::string_view bytes) {
    head_.method = bytes.substr(start_, method_size_);
    head_.target = bytes.substr(start_ + method_size_ + 1, target_size_);
    fill(bytes, head_.headers);
    for (const Reject why : {check_target(), check_host(), check_framing()}) {
        if (why != Reject::none) {
            return refuse(why);
        }
    }
    const Headers& fields = head_.headers;
    head_.keep_alive = !connection_has(fields, "close") && (head_.minor == 1 || connection_has(fields, "keep-alive"));
    head_.expect_continue = head_.minor == 1 && count(Known::expect) == 1 && equals_ignoring_case(last(fields, Known::expect), "100-continue");
    // "h2c" is not passed on (RFC 9113 3.1 has done away with it): what followed would be requests that no route has seen.
    head_.upgrade = head_.minor == 1 && count(Known::upgrade) != 0 && connection_has(fields, "upgrade") && !fields.has_token("upgrade", "h2c");
    return Progress::done;
}

Reject RequestParser::check_target() {
    std::string_view rest = head_.target;
    if (head_.method == "CONNECT") {
        head_.form = TargetForm::authority;
        head_.host = rest;
        const bool port = rest.rfind(':') != std::string_view::npos && rest.back() != ']';
        return is_host(rest) && port ? Reject::none : Reject::bad_target;
    }
    if (rest == "*") {
        head_.form = TargetForm::asterisk;
        head_.path = rest;
        return head_.method == "OPTIONS" ? Reject::none : Reject::bad_target;
    }
    if (rest.front() != '/') {
        const std::size_t colon = rest.find("://");
        const std::string_view scheme = rest.substr(0, colon);
        if (colon == std::string_view::npos || !(equals_ignoring_case(scheme, "http") || equals_ignoring_case(scheme, "https"))) {
            return Reject::bad_target;
        }
        rest.remove_prefix(colon + 3);
        head_.form = TargetForm::absolute;
        head_.host = rest.substr(0, rest.find_first_of("/?"));
        rest.remove_prefix(head_.host.size());
        if (!is_host(head_.host)) {
            return Reject::bad_target;
        }
    }
    const std::size_t question = rest.find('?');
    head_.has_query = question != std::string_view::npos;
    head_.path = rest.substr(0, question);
    head_.query = head_.has_query ? rest.substr(question + 1) : std::string_view();
    if (head_.path.empty()) {
        head_.path = "/";
    }
    return Reject::none;
}

Reject RequestParser::check_host() {
    if (count(Known::host) > 1) {
        return Reject::several_hosts;
    }
    if (count(Known::host) == 0) {
        return head_.minor == 1 ? Reject::no_host : Reject::none;
    }
    const std::string_view host = last(head_.headers, Known::host);
    if (!is_host(host)) {
        return Reject::bad_host;
    }
    if (head_.form == TargetForm::absolute && !equals_ignoring_case(host, head_.host)) {
        return Reject::host_mismatch;  // one of us would route by the other
    }
    if (head_.form != TargetForm::authority) {
        head_.host = host;
    }
    return Reject::none;
}

Reject RequestParser::check_framing() {
    if (count(Known::transfer_encoding) != 0) {
        if (count(Known::content_length) != 0) {
            return Reject::length_and_encoding;
        }
        if (head_.minor == 0) {
            return Reject::encoding_in_http10;
        }
        head_.framing = Framing::chunked;
        return parse_encoding(head_.headers);
    }
    if (count(Known::content_length) == 0) {
        return Reject::none;
    }
    const Reject why = parse_length(head_.headers, head_.content_length);
    head_.framing = head_.content_length != 0 ? Framing::length : Framing::none;
    return why;
}

}  // namespace penstock::http
