// SPDX-License-Identifier: Apache-2.0
// One request on its way: libcurl's handle with what it must outlive. Internal to the client.
#pragma once

#include <curl/curl.h>

#include <array>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "ctl/kubeapi/client.hpp"
#include "ctl/kubeapi/credentials.hpp"

namespace penstock::kubeapi {

// What somebody asked for; `line` is empty for a plain request.
struct Order {
    Request request;
    Client::OnLine line;
    Client::Done done;
    std::uint64_t number = 0;  // of a stream
    bool counted_as_throttled = false;
};

// How long a Retry-After asks to wait: seconds, or a time by the clock of who sent it (`date`, the answer's; else `now_s`, ours). At most ten
// minutes. Nothing if it asks for none.
std::optional<milliseconds> wait_asked(const std::string& retry_after, const std::string& date, std::int64_t now_s);

class Transfer {
public:
    // `access` outlives it, and `heard`, which is when the last byte of an answer came.
    Transfer(Order order, const Access& access, std::shared_ptr<const Identity> identity, const ClientLimits& limits, Time& heard);
    ~Transfer();
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;

    [[nodiscard]] CURL* handle() const { return handle_; }
    [[nodiscard]] bool is_stream() const { return static_cast<bool>(order_.line); }
    [[nodiscard]] std::uint64_t number() const { return order_.number; }
    [[nodiscard]] Time began() const { return began_; }
    // Whether the answer was in HTTP/1; nothing if there was none.
    [[nodiscard]] std::optional<bool> http1() const;
    [[nodiscard]] Result<Answer> result(CURLcode code);
    [[nodiscard]] Error failure(Errc code, const std::string& why) const;
    void done(Result<Answer> result) const { order_.done(std::move(result)); }

    std::list<std::unique_ptr<Transfer>>::iterator place;  // the client's

private:
    void set_request();
    void be_named(const Access& access);
    void set_connection(const Access& access);
    void take_field(std::string_view line);
    std::size_t take(std::string_view piece);
    bool give_lines();

    Order order_;
    std::shared_ptr<const Identity> identity_;
    ClientLimits limits_;
    Time& heard_;
    const Time began_ = Clock::now();
    CURL* handle_;
    curl_slist* fields_ = nullptr;
    curl_slist* connect_to_ = nullptr;
    std::array<char, CURL_ERROR_SIZE> error_{};
    std::string url_;
    std::string host_;         // the field where it is not that of the URL
    std::string retry_after_;  // fields of the answer
    std::string date_;
    std::string body_;      // of a stream: the line that is not whole yet
    std::string overflow_;  // why taking was ended
};

}  // namespace penstock::kubeapi
