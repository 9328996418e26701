// SPDX-License-Identifier: Apache-2.0
// One request and its response, once the head is read. Internal to http_proxy.
#pragma once

#include <optional>
#include <string>

#include "userspace/http/parser.hpp"
#include "userspace/http/writer.hpp"
#include "userspace/proxy/backend_connect.hpp"
#include "userspace/proxy/event.hpp"
#include "userspace/proxy/http_proxy.hpp"

namespace penstock::proxy {

// What is kept from the head, whose views die when the client's stream is read again.
struct RequestFacts {
    std::string method;
    int minor = 1;
    http::Framing framing = http::Framing::none;
    std::uint64_t content_length = 0;
    bool keep_alive = true;
    bool upgrade = false;
    std::string id;
};

// Where a request goes.
struct Route {
    std::shared_ptr<const Host> host;  // owns the rule
    const Listener* listener = nullptr;
    const Rule* rule = nullptr;
    const fb::MatchT* match = nullptr;
    std::optional<Reason> refusal;
};

class Exchange {
public:
    Exchange(Context& context, HttpClient& client, ring::Scope& scope, std::string& out)
        : context_(context), client_(client), scope_(scope), out_(out) {}

    // True: the client's connection can serve another request.
    ring::Task<bool> run(http::RequestHead& head, http::RequestParser& parser, std::size_t head_in_stream);

private:
    Route route(http::RequestHead& head);
    ring::Task<bool> refuse(const http::RequestHead* head, Reason reason, std::string_view detail = {});
    ring::Task<bool> forward(http::RequestHead& head);
    ring::Task<std::optional<bool>> attempt(const std::string& request_head, std::shared_ptr<const BackendSet> set, bool fresh);
    ring::Task<> pump_request();
    ring::Task<int> send_piece(Stream& to, http::Framing framing, std::string_view data, ring::Time deadline);
    ring::Task<std::optional<Reason>> read_response_head(http::ResponseParser& parser);
    ring::Task<bool> relay(http::ResponseParser& parser);
    ring::Task<> stop_pump();
    [[nodiscard]] ring::Time stall_deadline() const;

    Context& context_;
    HttpClient& client_;
    ring::Scope& scope_;
    std::string& out_;

    std::shared_ptr<const Tables> tables_;
    RequestFacts facts_;
    Route route_;
    std::string path_;
    Treatment treatment_;
    ring::Time deadline_ = ring::kNever;          // of the whole request
    ring::Time backend_deadline_ = ring::kNever;  // of one attempt

    Stream backend_;
    http::BodyReader request_body_;
    bool request_started_ = false;  // bytes of the body were taken from the client: no attempt after this one
    bool request_broken_ = false;   // the client's body ended in a fault
    std::optional<Reason> request_fault_;
    std::optional<Event> pump_done_;
    std::optional<ring::Scope> pump_scope_;
    std::string backend_head_;      // a head of the backend that came in pieces
    bool answered_ = false;         // bytes of a final response went to the client
};

}  // namespace penstock::proxy
