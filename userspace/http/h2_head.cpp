// SPDX-License-Identifier: Apache-2.0
#include "userspace/http/h2_head.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "userspace/base/assert.hpp"
#include "userspace/http/parser.hpp"

namespace penstock::http {

namespace {

constexpr std::size_t kTextRoom = 768;      // of a usual head, so that most need one allocation
constexpr std::size_t kFieldsKept = 64;
constexpr std::size_t kFieldOverhead = 32;  // RFC 7541 4.1
constexpr std::size_t kBombFactor = 4;

constexpr std::array<std::string_view, 6> kPseudoNames = {":method", ":scheme", ":authority", ":path", ":protocol", ":status"};

bool is_lower_token(std::string_view name) {
    return is_token(name) && std::none_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

// RFC 9113 8.2.1: no white space at the ends.
bool is_value(std::string_view value) {
    const auto blank = [](char c) { return c == ' ' || c == '\t'; };
    return value.empty() || (is_field_value(value) && !blank(value.front()) && !blank(value.back()));
}

// RFC 9113 8.2.2.
bool is_connection_field(std::string_view name, std::string_view value) {
    switch (name.size()) {
        case 2: return name == "te" && value != "trailers";
        case 7: return name == "upgrade";
        case 10: return name == "connection" || name == "keep-alive";
        case 16: return name == "proxy-connection";
        case 17: return name == "transfer-encoding";
        default: return false;
    }
}

// "u=0" to "u=7" and "i" of RFC 9218; what is unknown is left out.
H2Priority parse_priority(std::string_view value) {
    H2Priority priority{.incremental = false};
    for_each_token(value, [&priority](std::string_view token) {
        if (token.size() == 3 && token.substr(0, 2) == "u=" && token[2] >= '0' && token[2] <= '7') {
            priority.urgency = static_cast<std::uint8_t>(token[2] - '0');
        } else if (token == "i" || token == "i=?1") {
            priority.incremental = true;
        }
    });
    return priority;
}

}  // namespace

H2Trailers::H2Trailers(const Headers& copied) {
    std::size_t size = 0;
    for (const Header& field : copied) {
        size += field.name.size() + field.value.size();
    }
    text = std::make_unique_for_overwrite<char[]>(size);
    char* end = text.get();
    const auto keep = [&end](std::string_view from) {
        const std::string_view kept(end, from.size());
        end = std::copy(from.begin(), from.end(), end);
        return kept;
    };
    fields.reserve(copied.size());
    for (const Header& field : copied) {
        const std::string_view name = keep(field.name);
        fields.add(name, keep(field.value));
    }
}

void H2HeadReader::start(Kind kind) {
    kind_ = kind;
    reject_ = Reject::none;
    seen_ = 0;
    has_host_ = has_length_ = has_expect_ = false;
    length_ = 0;
    size_ = count_ = used_ = 0;
    cookies_ = 0;
    priority_ = {};
    fields_.clear();
}

bool H2HeadReader::field(std::string_view name, std::string_view value) {
    size_ += name.size() + value.size() + kFieldOverhead;
    count_++;
    if (size_ > kBombFactor * limits_.head_bytes_max) {
        return false;
    }
    if (kind_ != Kind::discarded && reject_ == Reject::none) {
        reject_ = check(name, value);
    }
    return true;
}

Reject H2HeadReader::check(std::string_view name, std::string_view value) {
    const bool trailers = kind_ == Kind::trailers;
    if (size_ > (trailers ? limits_.trailer_bytes_max : limits_.head_bytes_max)) {
        return trailers ? Reject::trailers_too_large : Reject::head_too_large;
    }
    if (!name.empty() && name.front() == ':') {
        return pseudo_field(name, value);
    }
    if (fields_.size() >= limits_.headers_max) {
        return trailers ? Reject::trailers_too_large : Reject::too_many_headers;
    }
    const Reject why = plain_field(name, value);
    return trailers && why != Reject::none ? Reject::bad_trailer : why;
}

Reject H2HeadReader::pseudo_field(std::string_view name, std::string_view value) {
    const auto found = std::find(kPseudoNames.begin(), kPseudoNames.end(), name);
    const auto index = static_cast<std::size_t>(found - kPseudoNames.begin());
    const bool belongs = kind_ == Kind::request ? index < kStatus : kind_ == Kind::response && index == kStatus;
    if (!belongs || !fields_.empty() || (seen_ >> index & 1) != 0) {
        return kind_ == Kind::trailers ? Reject::bad_trailer : Reject::bad_pseudo_header;
    }
    seen_ = static_cast<std::uint8_t>(seen_ | 1U << index);
    pseudos_[index] = keep(value);
    return Reject::none;
}

Reject H2HeadReader::plain_field(std::string_view name, std::string_view value) {
    if (!is_lower_token(name)) {
        return Reject::bad_header_name;
    }
    if (frames_in_disguise(name)) {
        return Reject::disguised_framing;
    }
    if (!is_value(value)) {
        return Reject::bad_header_value;
    }
    if (is_connection_field(name, value)) {
        return Reject::connection_field;
    }
    if (kind_ == Kind::trailers && !allowed_in_trailers(name)) {
        return Reject::none;
    }
    fields_.push_back({keep(name), keep(value)});
    switch (name.size()) {
        case 4: return name == "host" ? note_host() : Reject::none;
        case 6:
            cookies_ += name == "cookie" ? 1 : 0;
            has_expect_ = has_expect_ || (name == "expect" && equals_ignoring_case(value, "100-continue"));
            return Reject::none;
        case 8:
            if (name == "priority") {
                priority_ = parse_priority(value);
            }
            return Reject::none;
        case 14: return name == "content-length" ? note_length(value) : Reject::none;
        default: return Reject::none;
    }
}

Reject H2HeadReader::note_host() {
    host_ = fields_.back().value;
    return std::exchange(has_host_, true) ? Reject::several_hosts : Reject::none;
}

Reject H2HeadReader::note_length(std::string_view value) {
    return std::exchange(has_length_, true) ? Reject::several_content_lengths : parse_content_length(value, length_);
}

void H2HeadReader::grow(std::size_t size) {
    const std::size_t room = std::max({kTextRoom, 2 * room_, used_ + size});
    auto text = std::make_unique_for_overwrite<char[]>(room);
    if (used_ != 0) {
        std::memcpy(text.get(), text_.get(), used_);
    }
    text_ = std::move(text);
    room_ = room;
}

H2HeadReader::Span H2HeadReader::keep(std::string_view text) {
    if (text.size() > room_ - used_) {
        grow(text.size());
    }
    if (!text.empty()) {
        std::memcpy(text_.get() + used_, text.data(), text.size());
    }
    const Span span{static_cast<std::uint32_t>(used_), static_cast<std::uint32_t>(text.size())};
    used_ += text.size();
    return span;
}

// RFC 9113 8.2.3: crumbs become one field, in the place of the first.
void H2HeadReader::join_cookies() {
    if (cookies_ < 2) {
        return;
    }
    std::size_t size = 0;
    const auto is_cookie = [this](const Field& field) { return view(field.name) == "cookie"; };
    for (const Field& field : fields_) {
        size += is_cookie(field) ? field.value.size + 2 : 0;
    }
    if (size > room_ - used_) {
        grow(size);
    }
    Span joined{static_cast<std::uint32_t>(used_), 0};
    const auto first = std::find_if(fields_.begin(), fields_.end(), is_cookie);
    for (auto field = first; field != fields_.end(); ++field) {
        if (is_cookie(*field)) {
            if (field != first) {
                keep("; ");
            }
            const std::string_view crumb = view(field->value);
            std::memcpy(text_.get() + used_, crumb.data(), crumb.size());
            used_ += crumb.size();
        }
    }
    joined.size = static_cast<std::uint32_t>(used_) - joined.at;
    first->value = joined;
    fields_.erase(std::remove_if(first + 1, fields_.end(), is_cookie), fields_.end());
}

std::uint32_t H2HeadReader::unpacked_size() const { return static_cast<std::uint32_t>(size_ - kFieldOverhead * count_); }

void H2HeadReader::fill(Headers& headers) {
    for (const Field& field : fields_) {
        headers.add(view(field.name), view(field.value));
    }
    fields_.clear();
    if (fields_.capacity() > kFieldsKept) {
        fields_.shrink_to_fit();
    }
    used_ = room_ = 0;
}

Reject H2HeadReader::check_authority() const {
    if (!has(kAuthority) && !has_host_) {
        return Reject::no_host;
    }
    const std::string_view host = view(host_), authority = view(kAuthority);
    if ((has_host_ && !is_host(host)) || (has(kAuthority) && !is_host(authority))) {
        return Reject::bad_host;
    }
    return has_host_ && has(kAuthority) && !equals_ignoring_case(host, authority) ? Reject::host_mismatch : Reject::none;
}

Reject H2HeadReader::check_request(bool ended, bool connect_protocol) const {
    if (!has(kMethod)) {
        return Reject::bad_pseudo_header;
    }
    const std::string_view method = view(kMethod), path = view(kPath);
    if (!is_token(method) || method.size() > kMethodMax) {
        return Reject::bad_method;
    }
    const bool connect = method == "CONNECT", extended = has(kProtocol);
    // Nor "h2c": as HTTP/1's Upgrade, which it would become, it is not passed on.
    if (extended && (!connect || !connect_protocol || !is_token(view(kProtocol)) || equals_ignoring_case(view(kProtocol), "h2c"))) {
        return Reject::bad_pseudo_header;
    }
    if (connect && !extended) {
        if (has(kScheme) || has(kPath) || !has(kAuthority)) {
            return Reject::bad_pseudo_header;
        }
        const std::string_view authority = view(kAuthority);
        if (!is_host(authority) || authority.find_last_of(':') == std::string_view::npos || authority.back() == ']') {
            return Reject::bad_target;
        }
    } else {
        if (!has(kScheme) || !has(kPath) || (extended && !has(kAuthority))) {
            return Reject::bad_pseudo_header;
        }
        if (view(kScheme) != "http" && view(kScheme) != "https") {
            return Reject::bad_scheme;
        }
        const bool form = path == "*" ? method == "OPTIONS" : !path.empty() && path.front() == '/';
        if (!form || !is_target_text(path)) {
            return Reject::bad_target;
        }
    }
    if (const Reject why = check_authority(); why != Reject::none) {
        return why;
    }
    if (connect && has_length_) {
        return Reject::bad_content_length;  // a tunnel has none, and the next hop may think otherwise
    }
    return ended && length_ != 0 ? Reject::length_mismatch : Reject::none;
}

void H2HeadReader::take_target(RequestHead& head) const {
    head.method = view(kMethod);
    head.host = has(kAuthority) ? view(kAuthority) : view(host_);
    head.target = has(kPath) ? view(kPath) : head.host;
    if (!has(kPath)) {
        head.form = TargetForm::authority;
        return;
    }
    head.form = head.target == "*" ? TargetForm::asterisk : TargetForm::origin;
    const std::size_t question = head.target.find('?');
    head.has_query = question != std::string_view::npos;
    head.path = head.target.substr(0, question);
    head.query = head.has_query ? head.target.substr(question + 1) : std::string_view();
}

Reject H2HeadReader::finish(bool ended, bool connect_protocol, H2Request& request, H2Priority& priority) {
    PST_ASSERT(kind_ == Kind::request);
    const Reject why = reject_ != Reject::none ? reject_ : check_request(ended, connect_protocol);
    if (why != Reject::none) {
        return why;
    }
    join_cookies();
    RequestHead& head = request.head;
    take_target(head);
    request.scheme = has(kScheme) ? view(kScheme) : std::string_view();
    request.protocol = has(kProtocol) ? view(kProtocol) : std::string_view();
    request.ended = ended;
    head.content_length = length_;
    head.expect_continue = has_expect_ && !ended;
    if (head.method == "CONNECT") {
        head.framing = Framing::until_close;
    } else if (!ended) {
        head.framing = !has_length_ ? Framing::chunked : length_ != 0 ? Framing::length : Framing::none;
    }
    head.headers.reserve(fields_.size() + 1);
    head.headers.add("host", head.host);
    std::erase_if(fields_, [this](const Field& field) { return view(field.name) == "host"; });
    request.size = unpacked_size();
    fill(head.headers);
    request.text = std::move(text_);
    priority = priority_;
    return Reject::none;
}

Reject H2HeadReader::finish(bool ended, bool to_head, bool to_connect, H2Response& response) {
    PST_ASSERT(kind_ == Kind::response);
    if (reject_ != Reject::none) {
        return reject_;
    }
    const std::string_view text = has(kStatus) ? view(kStatus) : std::string_view();
    if (text.size() != 3 || text[0] < '1' || !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) {
        return Reject::bad_status_line;
    }
    ResponseHead& head = response.head;
    head.status = (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
    if (head.status == 101 || (head.interim() && (ended || has_length_))) {
        return Reject::bad_response;
    }
    const bool tunnel = to_connect && head.status / 100 == 2;
    if (head.status == 204 || tunnel) {
        // Neither has a length. Zero is a common slip, and says nothing to those who come next.
        if (length_ != 0) {
            return Reject::bad_response;
        }
        std::erase_if(fields_, [this](const Field& field) { return view(field.name) == "content-length"; });
    }
    const bool bodiless = to_head || head.interim() || head.status == 204 || head.status == 304;
    if (ended && !bodiless && length_ != 0) {
        return Reject::length_mismatch;
    }
    join_cookies();
    head.content_length = length_;
    response.ended = ended;
    if (tunnel) {
        head.framing = Framing::until_close;
    } else if (!ended && !bodiless) {
        head.framing = !has_length_ ? Framing::chunked : length_ != 0 ? Framing::length : Framing::none;
    }
    head.headers.reserve(fields_.size());
    response.size = unpacked_size();
    fill(head.headers);
    response.text = std::move(text_);
    return Reject::none;
}

Reject H2HeadReader::finish(H2Trailers& trailers) {
    PST_ASSERT(kind_ == Kind::trailers);
    if (reject_ != Reject::none) {
        return reject_;
    }
    trailers.fields.reserve(fields_.size());
    fill(trailers.fields);
    trailers.text = std::move(text_);
    return Reject::none;
}

}  // namespace penstock::http
