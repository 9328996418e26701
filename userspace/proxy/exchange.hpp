// SPDX-License-Identifier: Apache-2.0
// One request and its response, once the head is read: where it goes, one or several attempts at a backend, and what is said if there is
// no answer. The same for every version of HTTP on either side.
#pragma once

#include <optional>
#include <string>

#include "userspace/proxy/backend_slot.hpp"
#include "userspace/proxy/body_pace.hpp"
#include "userspace/proxy/client_side.hpp"
#include "userspace/proxy/context.hpp"
#include "userspace/proxy/event.hpp"
#include "userspace/proxy/heads.hpp"
#include "userspace/proxy/mirror.hpp"
#include "userspace/proxy/record.hpp"
#include "userspace/proxy/replay.hpp"
#include "userspace/proxy/routing.hpp"
#include "userspace/proxy/session.hpp"
#include "userspace/proxy/splice.hpp"

namespace penstock::proxy {

// What is kept from the head, whose views die when more of the client's body is read.
struct RequestFacts {
    std::string method;
    bool upgrade = false;
    Language language = Language::text;  // of our own answers
    bool has_body = false;
    std::string id;
};

class Exchange {
public:
    // Runs in `scope`: when that is cancelled, the exchange ends where it stands.
    Exchange(Context& context, ClientSide& client, ring::Scope& scope)
        : context_(context), client_(client), scope_(scope), tables_(context.tables_now()), body_(client.body()) {}

    // `head`'s views must stay until the client's body is waited for.
    ring::Task<> run(const http::RequestHead& head);
    // Once run() is over: counts the request and writes it down.
    void tell();

private:
    enum class Attempt : std::uint8_t {
        over,
        again,        // at once, on a new connection: the kept one was closed under us
        elsewhere,    // the endpoint is gone, and the set has another one now
        retry         // as the rule's policy allows
    };

    void note(const http::RequestHead& head);
    [[nodiscard]] std::optional<Reason> fault_of(const http::RequestHead& head, std::string_view& detail);
    // `status`: instead of the reason's own.
    ring::Task<> refuse(Reason reason, std::string_view detail = {}, int status = 0);
    ring::Task<> redirect(const http::RequestHead& head, const fb::Redirect& to);
    ring::Task<> answer_preflight(const http::RequestHead& head);
    ring::Task<> answer_options();
    ring::Task<> answer_last(const http::RequestHead& head);
    ring::Task<> answer(const Answer& answer, ring::Time deadline);
    ring::Task<> forward(const http::RequestHead& head);
    ring::Task<Attempt> attempt(const Outgoing& request);
    ring::Task<Attempt> answer_fault(Reason fault, bool may_try_again);
    ring::Task<bool> finds_another(Reason fault, bool left);
    void move_to(std::shared_ptr<const BackendSet> next);
    void note_fault(Reason fault) const;
    void note_answer(int status) const;
    [[nodiscard]] bool may_retry(int status);
    [[nodiscard]] ring::Duration backoff() const;

    ring::Task<bool> send_request(const Outgoing& request);
    ring::Task<> pump_request();
    ring::Task<> pump_pieces();
    ring::Task<> stop_pump();
    ring::Task<std::optional<Reason>> read_response_head();
    ring::Task<std::optional<Reason>> wait_for_response();
    ring::Task<bool> pass_interim();
    [[nodiscard]] std::string_view upgrade_fault(const Outgoing& request) const;
    ring::Task<> switch_protocols();
    ring::Task<bool> relay();
    ring::Task<bool> send_to_client();
    bool sent_to_client(int error);
    void count_broken(int error);

    // To the counters and to the record.
    void told_status(int status);
    void failed(Reason reason);
    void moved_in(std::uint64_t bytes);
    void moved_out(std::uint64_t bytes);

    // A client's extended CONNECT, which we ask a backend for as an upgrade (h2_client.hpp).
    [[nodiscard]] bool extended_connect() const { return facts_.upgrade && client_.version() == HttpVersion::http2; }
    [[nodiscard]] ring::Time stall_deadline() const;
    [[nodiscard]] Patience patience() const { return {std::chrono::milliseconds(limits().body_stall_ms), deadline_}; }
    [[nodiscard]] const fb::LimitsT& limits() const { return route_.listener != nullptr ? route_.listener->limits : tables_->limits; }
    [[nodiscard]] ListenerStats& listener_stats() { return context_.listener(route_.listener->id); }

    Context& context_;
    ClientSide& client_;
    ring::Scope& scope_;

    std::shared_ptr<const Tables> tables_;
    RequestFacts facts_;
    Route route_;
    std::string_view path_;  // normalised, of the head or in path_room_
    std::string path_room_;
    Treatment treatment_;
    CorsReply cors_;
    ring::Time deadline_ = ring::kNever;          // of the whole request
    ring::Time backend_deadline_ = ring::kNever;  // of one attempt

    Session session_;
    Wish wish_;
    std::shared_ptr<const BackendSet> set_;       // of the attempt that runs, or ran last; a later one may have a later version of it
    Claim claim_;                                 // of that attempt, on an endpoint of set_
    Replay body_;
    Mirroring mirroring_;
    BackendSlot slot_;
    BackendSide* backend_ = nullptr;              // of the attempt that runs
    std::uint32_t interims_ = 0;                  // interim answers, of all attempts
    std::uint32_t tries_ = 0;                     // attempts before this one
    std::uint32_t retries_ = 0;                   // by the rule's policy
    bool moved_ = false;                          // to an endpoint that came while it ran
    BodyPace pace_;
    ring::Time request_moved_ = {};               // when bytes of the body last went on
    bool request_broken_ = false;                 // the rest of the client's body cannot be told from a next request
    std::optional<Reason> request_fault_;
    std::optional<Event> pump_done_;
    std::optional<ring::Scope> pump_scope_;
    std::uint64_t bytes_told_ = 0;                // of the response, in the listener's counter
    Record record_;
};

}  // namespace penstock::proxy
