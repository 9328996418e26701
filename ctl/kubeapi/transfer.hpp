// SPDX-License-Identifier: Apache-2.0
// One request on its way: libcurl's handle with what it must outlive. Internal to the client.
#pragma once

#include <curl/curl.h>

#include <array>
#include <list>
#include <memory>
#include <string>

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

class Transfer {
public:
    // `access` outlives it.
    Transfer(Order order, const Access& access, std::shared_ptr<const Identity> identity, const ClientLimits& limits);
    ~Transfer();
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;

    [[nodiscard]] CURL* handle() const { return handle_; }
    [[nodiscard]] bool is_stream() const { return static_cast<bool>(order_.line); }
    [[nodiscard]] std::uint64_t number() const { return order_.number; }
    [[nodiscard]] Result<Answer> result(CURLcode code);
    void done(Result<Answer> result) const { order_.done(std::move(result)); }

    std::list<std::unique_ptr<Transfer>>::iterator place;  // the client's

private:
    void set_request();
    void set_connection(const Access& access);
    std::size_t take(std::string_view piece);
    bool give_lines();

    Order order_;
    std::shared_ptr<const Identity> identity_;
    ClientLimits limits_;
    CURL* handle_;
    curl_slist* fields_ = nullptr;
    std::array<char, CURL_ERROR_SIZE> error_{};
    std::string url_;
    std::string body_;      // of a stream: the line that is not whole yet
    std::string overflow_;  // why taking was ended
};

}  // namespace penstock::kubeapi
