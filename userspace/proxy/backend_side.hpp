// SPDX-License-Identifier: Apache-2.0
// The backend's half of one attempt, whatever version of HTTP it speaks: a request goes out, a response comes in.
#pragma once

#include "userspace/http/parser.hpp"
#include "userspace/proxy/body.hpp"
#include "userspace/proxy/heads.hpp"

namespace penstock::proxy {

// Interim answers to one request; a backend that sends more keeps it open without end.
inline constexpr std::size_t kInterimMax = 100;

class BackendSide : public BodySink {
public:
    // Queues the request's head.
    virtual void start(const Outgoing& request) = 0;

    // Reads the next head of the response from what is here. done: head() is one, interim or final; it stays until body().wait().
    virtual http::Progress read_head() = 0;
    virtual http::ResponseHead& head() = 0;
    // The response's body, after its final head; its wait() is also that for more of the head.
    virtual BodySource& body() = 0;
    // After a 101: body() and the sink are bytes both ways.
    virtual void start_tunnel() = 0;

    // The exchange is over. `whole`: both bodies were sent to their ends, so that the connection may serve another one.
    virtual void finish(bool whole) = 0;
    // The backend says that it has not looked at the request: any may be sent again.
    [[nodiscard]] virtual bool unprocessed() const { return false; }
    // Gives the attempt up; who waits on it is woken with ECANCELED. Idempotent.
    virtual void close() = 0;

protected:
    ~BackendSide() = default;
};

}  // namespace penstock::proxy
