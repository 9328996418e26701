// SPDX-License-Identifier: Apache-2.0
// What is known of one request: filled while it is served, read once when it is over, by the counters and by whoever writes it down.
// Costs nothing but its stores as long as nobody wants text: pointers and views are of what the exchange holds anyway.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "schema/reasons.hpp"
#include "userspace/base/ip.hpp"
#include "userspace/proxy/client_side.hpp"
#include "userspace/proxy/tables.hpp"
#include "userspace/proxy/trace_context.hpp"
#include "userspace/ring/loop.hpp"

namespace penstock::proxy {

struct Context;

// Copies of what a head says, for those who read it after its bytes are gone.
class HeadText {
public:
    // A query stays behind the "?" only with `query`: what must stay secret is often in there.
    void keep(const http::RequestHead& head, bool query);
    [[nodiscard]] std::string_view method() const { return part(0); }
    [[nodiscard]] std::string_view target() const { return part(1); }
    [[nodiscard]] std::string_view host() const { return part(2); }
    [[nodiscard]] std::string_view user_agent() const { return part(3); }

private:
    [[nodiscard]] std::string_view part(std::size_t number) const {
        const std::size_t begin = number == 0 ? 0 : ends_[number - 1];
        return std::string_view(text_).substr(begin, ends_[number] - begin);
    }
    std::string text_;
    std::array<std::uint32_t, 4> ends_ = {};
};

struct Record {
    const Tables* tables = nullptr;
    const ClientFacts* client = nullptr;
    std::string believed_client;   // whom proxies of ours name (forwarded.hpp); empty: who connected
    HttpVersion version = HttpVersion::http11;
    HeadText head;                 // empty unless somebody wants it
    std::string_view request_id;
    std::optional<Trace> trace;    // with tracing only

    const Listener* listener = nullptr;
    const Rule* rule = nullptr;
    const fb::Match* match = nullptr;
    const BackendSet* set = nullptr;   // of the last attempt
    Endpoint endpoint;                 // of the last attempt; port 0: none was reached
    std::uint32_t attempts = 0;        // at a backend; those beyond the first are retries
    bool reused = false;               // the last attempt's connection was a kept one

    int status = 0;                    // as the client was told; 0: not at all
    int backend_status = 0;            // as the backend answered; 0: it did not
    std::optional<Reason> reason;      // the first one

    std::uint64_t bytes_in = 0;        // of head and body, tunnels included
    std::uint64_t bytes_out = 0;

    ring::Time began;                      // the head was read
    ring::Time chosen = ring::kNever;      // the last attempt began
    ring::Time connected = ring::kNever;   // it has a connection
    ring::Time first_byte = ring::kNever;  // the head of its answer is here
    ring::Time done;

    [[nodiscard]] std::string_view client_address() const { return believed_client.empty() ? std::string_view(client->address) : believed_client; }
    void attempt(const BackendSet& to, ring::Time now) {
        set = &to;
        endpoint = {};
        reused = false;
        backend_status = 0;
        chosen = now;
        connected = first_byte = ring::kNever;
        ++attempts;
    }
    void reach(const Endpoint& where, bool kept, ring::Time now) {
        endpoint = where;
        reused = kept;
        connected = now;
    }
    void answered(int code, ring::Time now) {
        backend_status = code;
        first_byte = now;
    }
    void fail(Reason why) {
        if (!reason) {
            reason = why;
        }
    }
};

inline std::uint64_t microseconds_between(ring::Time from, ring::Time to) {
    return to > from ? static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(to - from).count()) : 0;
}

// A request begins. `tables` say what is wanted of it.
void begin(Context& context, Record& record, const Tables& tables, const ClientSide& client, const http::RequestHead& head, std::string_view request_id);
// A request that could not be read.
struct Unread {
    HttpVersion version = HttpVersion::http11;
    Reason reason = Reason::bad_request;
    int status = 400;
    std::string_view request_id;
    std::uint64_t bytes_in = 0, bytes_out = 0;
};
// Only the log hears of it. Its listener is that of the server name, or of every host; its own host is not known.
void tell_unread(Context& context, const ClientFacts& client, const Unread& unread);
// An attempt is over, another may follow.
void count_attempt(Context& context, const Record& record);
// The request is over: counts it and hands it to whoever writes it down.
void tell(Context& context, Record& record);

}  // namespace penstock::proxy
