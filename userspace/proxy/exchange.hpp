// SPDX-License-Identifier: Apache-2.0
// One request and its response, once the head is read. Internal to http_proxy.
#pragma once

#include <optional>
#include <string>

#include "userspace/http/parser.hpp"
#include "userspace/http/writer.hpp"
#include "userspace/proxy/backend_connect.hpp"
#include "userspace/proxy/event.hpp"
#include "userspace/proxy/gather.hpp"
#include "userspace/proxy/http_proxy.hpp"

namespace penstock::proxy {

// What is kept from the head, whose views die when the client's stream is read again.
struct RequestFacts {
    std::string method;
    int minor = 1;
    http::Framing framing = http::Framing::none;
    bool keep_alive = true;
    bool upgrade = false;
    bool json = false;  // what our own answers are written in
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
    // `out` is the connection's scratch space for heads.
    Exchange(Context& context, HttpClient& client, ring::Scope& scope, std::string& out)
        : context_(context), client_(client), scope_(scope), out_(out), tables_(context.tables) {}

    // True: the client's connection can serve another request. `head_in_stream`: bytes of the head at the front of the client's stream.
    ring::Task<bool> run(http::RequestHead& head, std::size_t head_in_stream);

private:
    enum class Attempt : std::uint8_t { ended, served, again };  // ended: so does the client's connection; again: on a fresh connection

    void note(const http::RequestHead& head);
    [[nodiscard]] std::optional<Reason> fault_of(const http::RequestHead& head, std::string_view& detail);
    Route route(http::RequestHead& head);
    ring::Task<bool> refuse(Reason reason, std::string_view detail = {});
    ring::Task<bool> answer_empty(int status);
    ring::Task<bool> redirect(const http::RequestHead& head, const fb::RedirectT& to);
    ring::Task<bool> forward(http::RequestHead& head);
    ring::Task<Attempt> attempt(Gather& request, std::shared_ptr<const BackendSet> set, bool fresh);
    ring::Task<Attempt> answer_fault(Reason fault, bool may_try_again);

    bool take_request_body(Gather& gather);
    ring::Task<bool> send_request(Gather& request);
    ring::Task<> pump_request();
    ring::Task<> pump_pieces();
    ring::Task<> stop_pump();
    ring::Task<std::optional<Reason>> read_response_head(http::ResponseParser& parser);
    ring::Task<std::optional<Reason>> wait_for_response();
    ring::Task<bool> pass_interim(http::ResponseParser& parser);
    ring::Task<bool> switch_protocols(http::ResponseParser& parser);
    ring::Task<bool> relay(http::ResponseParser& parser);
    ring::Task<bool> send_to_client(Gather& gather);
    void count_broken(int error);
    void keep_backend(const Endpoint& endpoint);

    [[nodiscard]] ring::Time stall_deadline() const;
    [[nodiscard]] bool may_keep() const { return facts_.keep_alive && !context_.draining && request_body_.complete() && !request_broken_; }

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
    ring::Time request_moved_ = {};    // when bytes of the body last went on
    bool request_started_ = false;     // bytes of the body were taken from the client: no attempt after this one
    bool request_broken_ = false;      // the rest of the client's body cannot be told from a next request
    std::optional<Reason> request_fault_;
    std::optional<Event> pump_done_;
    std::optional<ring::Scope> pump_scope_;
    std::string last_chunk_;           // of the request, as it is sent
    std::string backend_head_;         // a head of the backend that came in pieces
};

}  // namespace penstock::proxy
