// SPDX-License-Identifier: Apache-2.0
#include "userspace/http/writer.hpp"

#include <charconv>

#include "userspace/base/assert.hpp"

namespace penstock::http {

namespace {

void check(std::string_view text) { PST_ASSERT(text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos); }

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
    check(name);
    check(value);
    out_.append(name).append(": ").append(value).append("\r\n");
    return *this;
}

HeadWriter& HeadWriter::header(std::string_view name, std::uint64_t value) {
    std::array<char, 20> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    return header(name, std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data())));
}

HeadWriter& HeadWriter::headers(const Headers& fields) {
    for (const Header& field : fields) {
        header(field.name, field.value);
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
