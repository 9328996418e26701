// SPDX-License-Identifier: Apache-2.0
#include "userspace/http/writer.hpp"

#include <algorithm>
#include <charconv>

#include "userspace/base/assert.hpp"
#include "userspace/http/scan.hpp"

namespace penstock::http {

namespace {

void check(std::string_view text) { PST_ASSERT(!scan::any<scan::Breaks>(text)); }

// Room for `size` more bytes, at their place.
char* grow(std::string& out, std::size_t size) {
    const std::size_t before = out.size();
    out.resize(before + size);
    return out.data() + before;
}

char* put(char* at, std::string_view text) {
    return std::copy(text.begin(), text.end(), at);
}

std::size_t field_size(const Header& field) { return field.name.size() + field.value.size() + 4; }

char* put_field(char* at, const Header& field) {
    check(field.name);
    check(field.value);
    return put(put(put(put(at, field.name), ": "), field.value), "\r\n");
}

}  // namespace

std::string_view reason_phrase(int status) {
    switch (status) {
        case 100: return "Continue";
        case 101: return "Switching Protocols";
        case 103: return "Early Hints";
        case 200: return "OK";
        case 201: return "Created";
        case 202: return "Accepted";
        case 204: return "No Content";
        case 206: return "Partial Content";
        case 301: return "Moved Permanently";
        case 302: return "Found";
        case 303: return "See Other";
        case 304: return "Not Modified";
        case 307: return "Temporary Redirect";
        case 308: return "Permanent Redirect";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 408: return "Request Timeout";
        case 411: return "Length Required";
        case 413: return "Content Too Large";
        case 414: return "URI Too Long";
        case 416: return "Range Not Satisfiable";
        case 417: return "Expectation Failed";
        case 421: return "Misdirected Request";
        case 426: return "Upgrade Required";
        case 429: return "Too Many Requests";
        case 431: return "Request Header Fields Too Large";
        case 500: return "Internal Server Error";
        case 501: return "Not Implemented";
        case 502: return "Bad Gateway";
        case 503: return "Service Unavailable";
        case 504: return "Gateway Timeout";
        case 505: return "HTTP Version Not Supported";
        default: return "";
    }
}

HeadWriter& HeadWriter::request(std::string_view method, std::string_view target) {
    check(method);
    check(target);
    out_.append(method).append(" ").append(target).append(" HTTP/1.1\r\n");
    return *this;
}

HeadWriter& HeadWriter::status(int code, std::string_view reason) {
    PST_ASSERT(code >= 100 && code <= 999);
    check(reason);
    std::array<char, 4> digits{};
    std::to_chars(digits.data(), digits.data() + 3, code);
    out_.append("HTTP/1.1 ").append(digits.data(), 3).append(" ");
    out_.append(reason.empty() ? reason_phrase(code) : reason).append("\r\n");
    return *this;
}

HeadWriter& HeadWriter::header(std::string_view name, std::string_view value) {
    const Header field{name, value};
    put_field(grow(out_, field_size(field)), field);
    return *this;
}

HeadWriter& HeadWriter::header(std::string_view name, std::uint64_t value) {
    std::array<char, 20> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    return header(name, std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data())));
}

HeadWriter& HeadWriter::headers(const Headers& fields) {
    std::size_t size = 0;
    for (const Header& field : fields) {
        size += field_size(field);
    }
    char* at = grow(out_, size);
    for (const Header& field : fields) {
        at = put_field(at, field);
    }
    return *this;
}

HeadWriter& HeadWriter::framing(Framing framing, std::uint64_t content_length) {
    switch (framing) {
        case Framing::length: return header("Content-Length", content_length);
        case Framing::chunked: return header("Transfer-Encoding", "chunked");
        default: return *this;
    }
}

void HeadWriter::end() { out_.append("\r\n"); }

ChunkHead::ChunkHead(std::uint64_t size) {
    PST_ASSERT(size != 0);  // that is the last chunk
    char* end = std::to_chars(text_.data(), text_.data() + text_.size(), size, 16).ptr;
    *end++ = '\r';
    *end++ = '\n';
    size_ = static_cast<std::size_t>(end - text_.data());
}

void write_last_chunk(std::string& out, const Headers& trailers) {
    out.append("0\r\n");
    HeadWriter(out).headers(trailers).end();
}

}  // namespace penstock::http
