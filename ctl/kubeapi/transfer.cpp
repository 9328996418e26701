// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/transfer.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <ctime>

#include "ctl/kubeapi/url.hpp"
#include "userspace/base/assert.hpp"
#include "userspace/base/version.hpp"

namespace penstock::kubeapi {

namespace {

int on_socket(void* limits, curl_socket_t socket, curlsocktype /*purpose*/) {
    const auto silence_ms = static_cast<unsigned>(static_cast<const ClientLimits*>(limits)->silence.count());
    ::setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms, sizeof silence_ms);
    return CURL_SOCKOPT_OK;
}

// libcurl does not write to it.
curl_blob blob_of(const std::string& bytes) {
    return {.data = const_cast<char*>(bytes.data()), .len = bytes.size(), .flags = CURL_BLOB_NOCOPY};  // NOLINT(cppcoreguidelines-pro-type-const-cast)
}

}  // namespace

std::optional<milliseconds> wait_asked(const std::string& retry_after, const std::string& date, std::int64_t now_s) {
    std::int64_t seconds = 0;
    const char* end = retry_after.data() + retry_after.size();
    if (const auto [stop, failure] = std::from_chars(retry_after.data(), end, seconds); failure != std::errc() || stop != end) {
        const std::int64_t when = ::curl_getdate(retry_after.c_str(), nullptr);
        const std::int64_t theirs = date.empty() ? -1 : ::curl_getdate(date.c_str(), nullptr);
        seconds = when < 0 ? 0 : when - (theirs < 0 ? now_s : theirs);
    }
    return seconds > 0 ? std::optional(milliseconds(std::min<std::int64_t>(seconds, 600) * 1000)) : std::nullopt;
}

Transfer::Transfer(Order order, const Access& access, std::shared_ptr<const Identity> identity, const ClientLimits& limits, Time& heard)
    : order_(std::move(order)), identity_(std::move(identity)), limits_(limits), heard_(heard), handle_(::curl_easy_init()) {
    PST_ASSERT(handle_ != nullptr);
    url_ = access.server + order_.request.path;
    if (!access.tls_server_name.empty() && access.server.starts_with("https://")) {
        be_named(access);
    }
    set_connection(access);
    ::curl_easy_setopt(handle_, CURLOPT_ACCEPT_ENCODING, access.disable_compression ? nullptr : "gzip");
    set_request();
}

Transfer::~Transfer() {
    ::curl_easy_cleanup(handle_);
    ::curl_slist_free_all(fields_);
    ::curl_slist_free_all(connect_to_);
}

// TLS asks for, and verifies, the URL's name: so that is the one that was given, and who is connected to, and named to HTTP, is the server.
void Transfer::be_named(const Access& access) {
    const Authority at = authority_of(access.server);
    const std::string_view port = at.port.empty() ? "443" : at.port;
    const std::string name = host_of(access.tls_server_name);
    url_ = fmt::format("https://{}:{}{}{}", name, port, at.rest, order_.request.path);
    host_ = fmt::format("Host: {}:{}", at.host, port);
    connect_to_ = ::curl_slist_append(nullptr, fmt::format("{}:{}:{}:{}", name, port, at.host, port).c_str());
    ::curl_easy_setopt(handle_, CURLOPT_CONNECT_TO, connect_to_);
}

void Transfer::set_connection(const Access& access) {
    ::curl_easy_setopt(handle_, CURLOPT_URL, url_.c_str());
    ::curl_easy_setopt(handle_, CURLOPT_NOSIGNAL, 1L);
    ::curl_easy_setopt(handle_, CURLOPT_ERRORBUFFER, error_.data());
    ::curl_easy_setopt(handle_, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
    ::curl_easy_setopt(handle_, CURLOPT_PIPEWAIT, 1L);  // for the connection that is being made, and share it
    ::curl_easy_setopt(handle_, CURLOPT_PROXY, access.proxy_url.c_str());
    ::curl_easy_setopt(handle_, CURLOPT_FOLLOWLOCATION, 0L);
    ::curl_easy_setopt(handle_, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(limits_.connect.count()));
    ::curl_easy_setopt(handle_, CURLOPT_TIMEOUT_MS, static_cast<long>(order_.request.patience.count()));
    ::curl_easy_setopt(handle_, CURLOPT_TCP_KEEPALIVE, 1L);
    ::curl_easy_setopt(handle_, CURLOPT_TCP_KEEPIDLE, 10L);
    ::curl_easy_setopt(handle_, CURLOPT_TCP_KEEPINTVL, 5L);
    ::curl_easy_setopt(handle_, CURLOPT_SOCKOPTFUNCTION, on_socket);
    ::curl_easy_setopt(handle_, CURLOPT_SOCKOPTDATA, &limits_);
    if (access.skip_verify) {
        ::curl_easy_setopt(handle_, CURLOPT_SSL_VERIFYPEER, 0L);
        ::curl_easy_setopt(handle_, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (!identity_->ca.empty()) {
        const curl_blob ca = blob_of(identity_->ca);
        ::curl_easy_setopt(handle_, CURLOPT_CAINFO_BLOB, &ca);
    }
    if (!identity_->client_certificate.empty()) {
        const curl_blob certificate = blob_of(identity_->client_certificate);
        const curl_blob key = blob_of(identity_->client_key);
        ::curl_easy_setopt(handle_, CURLOPT_SSLCERT_BLOB, &certificate);
        ::curl_easy_setopt(handle_, CURLOPT_SSLKEY_BLOB, &key);
    }
}

void Transfer::set_request() {
    const Request& request = order_.request;
    const auto add = [this](const std::string& field) { fields_ = ::curl_slist_append(fields_, field.c_str()); };
    add("Accept: " + request.accept);
    add(fmt::format("User-Agent: penstock/{}", kVersion));
    add("Expect:");
    if (!host_.empty()) {
        add(host_);
    }
    if (!identity_->authorization.empty()) {
        add("Authorization: " + identity_->authorization);
    }
    if (const Acting& as = identity_->as; !as.user.empty()) {
        add("Impersonate-User: " + as.user);
        if (!as.uid.empty()) {
            add("Impersonate-Uid: " + as.uid);
        }
        for (const std::string& group : as.groups) {
            add("Impersonate-Group: " + group);
        }
        for (const auto& [name, value] : as.extra) {
            add("Impersonate-Extra-" + url_encoded(name) + ": " + value);
        }
    }
    if (!request.body.empty()) {
        add("Content-Type: " + request.content_type);
        ::curl_easy_setopt(handle_, CURLOPT_POSTFIELDS, request.body.data());
        ::curl_easy_setopt(handle_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    }
    if (request.method != "GET" || !request.body.empty()) {
        ::curl_easy_setopt(handle_, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
    ::curl_easy_setopt(handle_, CURLOPT_HTTPHEADER, fields_);
    curl_write_callback write = [](char* bytes, std::size_t size, std::size_t count, void* self) {
        return static_cast<Transfer*>(self)->take({bytes, size * count});
    };
    ::curl_easy_setopt(handle_, CURLOPT_WRITEFUNCTION, write);
    ::curl_easy_setopt(handle_, CURLOPT_WRITEDATA, this);
    curl_write_callback field = [](char* bytes, std::size_t size, std::size_t count, void* self) {
        static_cast<Transfer*>(self)->take_field({bytes, size * count});
        return size * count;
    };
    ::curl_easy_setopt(handle_, CURLOPT_HEADERFUNCTION, field);
    ::curl_easy_setopt(handle_, CURLOPT_HEADERDATA, this);
}

void Transfer::take_field(std::string_view line) {
    heard_ = Clock::now();
    const auto value_of = [line](std::string_view name) -> std::optional<std::string> {
        if (line.size() < name.size() || ::strncasecmp(line.data(), name.data(), name.size()) != 0) {
            return std::nullopt;
        }
        const std::size_t from = line.find_first_not_of(" \t", name.size());
        const std::size_t to = line.find_last_not_of(" \t\r\n");
        return from <= to && to != std::string_view::npos ? std::string(line.substr(from, to - from + 1)) : std::string();
    };
    retry_after_ = value_of("retry-after:").value_or(retry_after_);
    date_ = value_of("date:").value_or(date_);
}

std::size_t Transfer::take(std::string_view piece) {
    heard_ = Clock::now();
    body_.append(piece);
    long status = 0;
    ::curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
    const bool lines = order_.line && status == 200;
    if (lines && !give_lines()) {
        return 0;
    }
    if (!lines && body_.size() > limits_.body_max) {
        overflow_ = fmt::format("the answer is larger than {} bytes", limits_.body_max);
        return 0;
    }
    return piece.size();
}

bool Transfer::give_lines() {
    std::size_t from = 0;
    for (std::size_t end = body_.find('\n'); end != std::string::npos;) {
        const std::size_t next = body_.find('\n', end + 1);
        order_.line(std::string_view(body_).substr(from, end - from), next == std::string::npos);
        from = end + 1;
        end = next;
    }
    body_.erase(0, from);
    if (body_.size() > limits_.line_max) {
        overflow_ = fmt::format("a line is longer than {} bytes", limits_.line_max);
    }
    return overflow_.empty();
}

std::optional<bool> Transfer::http1() const {
    long version = 0;
    ::curl_easy_getinfo(handle_, CURLINFO_HTTP_VERSION, &version);
    return version != 0 ? std::optional(version < CURL_HTTP_VERSION_2_0) : std::nullopt;
}

Error Transfer::failure(Errc code, const std::string& why) const {
    const std::size_t query = order_.request.path.find('?');
    return Error{.code = code, .what = why}.in(order_.request.method + " " + order_.request.path.substr(0, query));
}

Result<Answer> Transfer::result(CURLcode code) {
    if (code != CURLE_OK) {
        const std::string why = !overflow_.empty() ? overflow_ : error_[0] != '\0' ? std::string(error_.data()) : std::string(::curl_easy_strerror(code));
        return failure(code == CURLE_OPERATION_TIMEDOUT ? Errc::timeout : Errc::internal, why);
    }
    Answer answer;
    ::curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &answer.status);
    answer.retry_after = wait_asked(retry_after_, date_, static_cast<std::int64_t>(::time(nullptr)));
    answer.body = std::move(body_);
    return answer;
}

}  // namespace penstock::kubeapi
