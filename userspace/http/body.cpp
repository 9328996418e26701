// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "userspace/base/assert.hpp"
#include "userspace/http/parser.hpp"

namespace penstock::http {

namespace {

// Fields that decide where a message goes, how long it is, who sent it or what it is: not from behind the body
// (RFC 9110 6.5.1), where a filter has not seen them.
constexpr std::array<std::string_view, 25> kNotInTrailers = {
    "authorization", "cache-control",       "connection",    "content-encoding", "content-length",
    "content-range", "content-type",        "cookie",        "expect",           "forwarded",
    "host",          "keep-alive",          "max-forwards",  "proxy-authorization", "set-cookie",
    "te",            "trailer",             "transfer-encoding", "upgrade",      "x-forwarded-for",
    "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto", "x-real-ip",    "x-request-id"};

int hex_value(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = static_cast<char>(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// *( ";" name [ "=" ( token / quoted-string ) ] ), without white space around.
bool is_extension(std::string_view text) {
    while (!text.empty()) {
        if (text.front() != ';') {
            return false;
        }
        text.remove_prefix(1);
        const std::size_t name = std::min(text.find_first_of("=;"), text.size());
        if (!is_token(text.substr(0, name))) {
            return false;
        }
        text.remove_prefix(name);
        if (text.empty() || text.front() != '=') {
            continue;
        }
        text.remove_prefix(1);
        if (!text.empty() && text.front() == '"') {
            std::size_t at = 1;
            for (; at < text.size() && text[at] != '"'; at++) {
                at += text[at] == '\\' ? 1 : 0;
                if (at >= text.size() || (static_cast<unsigned char>(text[at]) < ' ' && text[at] != '\t') || text[at] == 0x7f) {
                    return false;
                }
            }
            if (at >= text.size()) {
                return false;
            }
            text.remove_prefix(at + 1);
        } else {
            const std::size_t value = std::min(text.find(';'), text.size());
            if (!is_token(text.substr(0, value))) {
                return false;
            }
            text.remove_prefix(value);
        }
    }
    return true;
}

}  // namespace

bool allowed_in_trailers(std::string_view name) {
    return std::none_of(kNotInTrailers.begin(), kNotInTrailers.end(),
                        [name](std::string_view n) { return equals_ignoring_case(n, name); });
}

void BodyReader::start(Framing framing, std::uint64_t content_length) {
    restart();
    left_ = received_ = 0;
    extension_bytes_ = 0;
    line_.clear();
    trailer_text_.clear();
    trailers_.clear();
    switch (framing) {
        case Framing::none: state_ = State::complete; break;
        case Framing::length:
            state_ = content_length != 0 ? State::data : State::complete;
            left_ = content_length;
            break;
        case Framing::chunked: state_ = State::chunk_size; break;
        case Framing::until_close: state_ = State::until_close; break;
    }
    if (limits_.body_bytes_max != 0 && left_ > limits_.body_bytes_max) {
        reject_ = Reject::body_too_large;
    }
}

BodyReader::Piece BodyReader::fail(Reject why) {
    reject_ = why;
    return {Progress::rejected, {}, 0};
}

Reject BodyReader::count(std::uint64_t bytes) {
    received_ += bytes;
    return limits_.body_bytes_max != 0 && received_ > limits_.body_bytes_max ? Reject::body_too_large : Reject::none;
}

BodyReader::Piece BodyReader::next(std::string_view input) {
    if (reject_ != Reject::none) {
        return {Progress::rejected, {}, 0};
    }
    // Pieces without payload (size lines, chunk ends) are passed here, so every `more` with something left has data.
    std::size_t consumed = 0;
    for (;;) {
        Piece piece;
        switch (state_) {
            case State::complete: piece.progress = Progress::done; break;
            case State::data:
            case State::chunk_data:
            case State::until_close: piece = data(input.substr(consumed)); break;
            case State::chunk_size:
            case State::chunk_end: piece = chunk_size(input.substr(consumed)); break;
            case State::trailer: piece = trailer(input.substr(consumed)); break;
        }
        consumed += piece.consumed;
        piece.consumed = consumed;
        const bool stop = piece.progress != Progress::more || !piece.data.empty() || consumed == input.size();
        if (stop && state_ == State::complete && piece.progress == Progress::more) {
            piece.progress = Progress::done;
        }
        if (stop) {
            return piece;
        }
    }
}

BodyReader::Piece BodyReader::data(std::string_view input) {
    const std::size_t size =
        state_ == State::until_close ? input.size() : static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size()));
    if (const Reject why = count(size); why != Reject::none) {
        return fail(why);
    }
    if (state_ != State::until_close) {
        left_ -= size;
        if (left_ == 0 && state_ == State::chunk_data) {
            state_ = State::chunk_end;
            left_ = 2;  // CR and LF
        } else if (left_ == 0) {
            state_ = State::complete;
        }
    }
    return {Progress::more, input.substr(0, size), size};
}

std::uint64_t BodyReader::run() const {
    if (reject_ != Reject::none || (state_ != State::data && state_ != State::until_close)) {
        return 0;
    }
    const std::uint64_t most = limits_.body_bytes_max == 0 ? ~std::uint64_t{0} : limits_.body_bytes_max - received_;
    return state_ == State::data ? std::min(left_, most) : most;
}

void BodyReader::pass(std::uint64_t bytes) {
    received_ += bytes;
    if (state_ == State::data && (left_ -= bytes) == 0) {
        state_ = State::complete;
    }
}

BodyReader::Piece BodyReader::chunk_size(std::string_view input) {
    std::size_t used = 0;
    while (state_ == State::chunk_end && used < input.size()) {
        if (input[used++] != (left_ == 2 ? '\r' : '\n')) {
            return fail(Reject::bad_chunk);
        }
        if (--left_ == 0) {
            state_ = State::chunk_size;
        }
    }
    if (state_ == State::chunk_end || used == input.size()) {
        return {Progress::more, {}, used};
    }
    const std::size_t lf = input.find('\n', used);
    const std::size_t end = lf == std::string_view::npos ? input.size() : lf + 1;
    std::string_view line = input.substr(used, end - used);
    // 16 digits, CR and LF beside the extensions.
    if (line_.size() + line.size() > limits_.chunk_extension_bytes_max + 18) {
        return fail(Reject::chunk_extensions_too_long);
    }
    if (!line_.empty() || lf == std::string_view::npos) {
        line_.append(line);
        line = line_;
    }
    if (lf != std::string_view::npos) {
        if (const Reject why = size_line(line); why != Reject::none) {
            return fail(why);
        }
        line_.clear();
    }
    return {Progress::more, {}, end};
}

Reject BodyReader::size_line(std::string_view line) {
    if (line.size() < 3 || line[line.size() - 2] != '\r') {
        return Reject::bad_chunk;
    }
    line.remove_suffix(2);
    std::size_t digits = 0;
    left_ = 0;
    for (; digits < line.size() && hex_value(line[digits]) >= 0; digits++) {
        if (digits == 15) {
            return Reject::bad_chunk;  // it would soon not fit; nobody sends such chunks
        }
        left_ = left_ * 16 + static_cast<std::uint64_t>(hex_value(line[digits]));
    }
    const std::string_view extension = line.substr(digits);
    extension_bytes_ += extension.size();
    if (extension_bytes_ > limits_.chunk_extension_bytes_max) {
        return Reject::chunk_extensions_too_long;
    }
    if (digits == 0 || !is_extension(extension)) {
        return Reject::bad_chunk;
    }
    if (limits_.body_bytes_max != 0 && left_ > limits_.body_bytes_max - received_) {
        return Reject::body_too_large;
    }
    state_ = left_ != 0 ? State::chunk_data : State::trailer;
    return Reject::none;
}

BodyReader::Piece BodyReader::trailer(std::string_view input) {
    std::size_t used = 0;
    while (used < input.size()) {
        const std::size_t lf = input.find('\n', used);
        const std::size_t end = lf == std::string_view::npos ? input.size() : lf + 1;
        trailer_text_.append(input.substr(used, end - used));
        used = end;
        const Progress progress = next_line(trailer_text_, limits_.trailer_bytes_max, Reject::trailers_too_large);
        if (progress == Progress::rejected) {
            return fail(reject_ == Reject::bad_line_end ? Reject::bad_trailer : reject_);
        }
        if (progress == Progress::more) {
            continue;
        }
        if (line_begin_ == line_end_) {
            fill(trailer_text_, trailers_);
            for (const std::string_view name : kNotInTrailers) {
                trailers_.remove(name);
            }
            state_ = State::complete;
            return {Progress::done, {}, used};
        }
        if (header_line(std::string_view(trailer_text_).substr(line_begin_, line_end_ - line_begin_)) == Progress::rejected) {
            return fail(reject_ == Reject::too_many_headers ? Reject::trailers_too_large : Reject::bad_trailer);
        }
    }
    return {Progress::more, {}, used};
}

Progress BodyReader::end() {
    if (state_ == State::until_close) {
        state_ = State::complete;
    }
    return state_ == State::complete ? Progress::done : Progress::more;
}

}  // namespace penstock::http
