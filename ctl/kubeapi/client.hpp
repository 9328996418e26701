// SPDX-License-Identifier: Apache-2.0
// Requests to one API server, over HTTP/2 where it speaks it: many at once on one connection, bounded in number and pace, with the
// credentials of the moment. A thread of its own does the work and calls back; libcurl does HTTP and TLS. It knows no kinds and does not
// repeat a request: who asks knows whether that is right. A connection of HTTP/2 that is mute (a request timed out, and no byte came for any
// meanwhile) is given up with all that is on it: who only streams should ask for something now and then, too.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "ctl/kubeapi/access.hpp"
#include "ctl/kubeapi/pace.hpp"
#include "userspace/base/result.hpp"

namespace penstock::kubeapi {

struct Request {
    std::string method = "GET";
    std::string path;          // "/api/v1/services?limit=500"
    std::string body;
    std::string content_type;  // of the body
    std::string accept = "application/json";
    milliseconds patience{30'000};  // for the whole answer
    bool urgent = false;            // goes before all that waits, whatever the bounds of number and pace: for what comes once in a while
};

// An answer of the server, whatever its status.
struct Answer {
    long status = 0;
    std::string body;
    std::optional<milliseconds> retry_after;

    [[nodiscard]] bool good() const { return status >= 200 && status < 300; }
    // What the server says of a failure: the message of its Status object, else the number.
    [[nodiscard]] Error failure(const std::string& what) const;
};

struct ClientLimits {
    unsigned in_flight = 32;         // plain requests; streams are not counted
    double per_second = 1000;        // of both
    double burst = 2000;
    std::size_t body_max = 512U << 20;
    std::size_t line_max = 16U << 20;
    milliseconds connect{10'000};    // for a connection to come about
    milliseconds silence{20'000};    // a peer that acknowledges nothing for so long is gone: a watch would never notice. And between two
                                     // connections on which nothing was heard
};

// Since start; may be read from any thread.
struct ClientCounts {
    std::atomic<std::uint64_t> requests{0};
    std::atomic<std::uint64_t> throttled{0};  // waited for their pace, or were told 429
    std::atomic<std::uint64_t> failed{0};     // got no answer, or one of 500 and more
};

class Client {
public:
    using Done = std::function<void(Result<Answer>)>;
    // `last`: of the whole lines that have come so far.
    using OnLine = std::function<void(std::string_view line, bool last)>;
    using Task = std::function<void()>;

    static Result<std::unique_ptr<Client>> start(Access access, ClientLimits limits = {});
    virtual ~Client() = default;
    Client() = default;
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    // All of these may be called from any thread. What they are given is called on the client's thread, never from within the call, and
    // not any more once the client is gone.
    virtual void send(Request request, Done done) = 0;
    // An answer that goes on: each whole line of a good one is given out as it comes. Others come whole with `done`, as above. Its number.
    virtual std::uint64_t stream(Request request, OnLine line, Done done) = 0;
    // Soon ends the stream, and frees what it holds without `done`; a line or its end may still come meanwhile.
    virtual void end_stream(std::uint64_t number) = 0;
    virtual void after(milliseconds delay, Task task) = 0;

    // Waits for the answer. Not from the client's own thread.
    Result<Answer> call(Request request);

    [[nodiscard]] virtual const ClientCounts& counts() const = 0;
};

}  // namespace penstock::kubeapi
