// SPDX-License-Identifier: Apache-2.0
// One request and its response on an HTTP/2 connection. It stays from on_request() or open() until the owner's release(), whatever happens
// to the connection meanwhile; calls that come too late do nothing. Pieces of a body are views: they must stay until on_sent() or on_reset(),
// and are copied once, when they are framed, which is when the peer's windows and the caller of H2Session::output() have room.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/http/h2_fault.hpp"
#include "userspace/http/h2_head.hpp"

namespace penstock::http {

class H2Session;
class H2Stream;

struct H2Reset {
    std::uint32_t code = 0;           // an H2Code, or what the peer likes
    Reject reject = Reject::none;     // the peer's message was malformed, and we reset the stream
    bool unprocessed = false;         // the peer says that it has not looked at the request: it may be sent again
};

// What happens to a stream. Called from within feed() and output(): calls to the stream and the session are allowed, but not those two,
// and a released stream hears nothing more.
class H2StreamEvents {
public:
    virtual void on_response(H2Response) {}               // client: interim ones, then the final one
    virtual void on_data(std::string_view data) = 0;      // a view into what was fed; consume() it when it is no longer held
    virtual void on_end(H2Trailers trailers) = 0;         // the message is complete; not called if its head said `ended`
    virtual void on_sent() {}                             // all that was given to send() is framed
    virtual void on_reset(const H2Reset& reset) = 0;      // nothing more comes or goes

protected:
    ~H2StreamEvents() = default;
};

class H2Stream {
public:
    H2Stream(const H2Stream&) = delete;
    H2Stream& operator=(const H2Stream&) = delete;

    [[nodiscard]] std::int32_t id() const { return id_; }
    void listen(H2StreamEvents* events) { events_ = events; }

    // Heads. Names may have any case; fields of HTTP/1 connections, and Host, are left out. `end`: no body and no trailers.
    void interim(int status, const Headers& headers);
    void respond(int status, const Headers& headers, bool end);

    // The body: views, or text that the stream keeps. Then its end, once.
    void send(std::string_view piece, std::uint64_t now_ms);
    void send_own(std::string text, std::uint64_t now_ms);
    void end();
    void end(const Headers& trailers);
    [[nodiscard]] std::size_t queued() const { return queued_; }
    // Since when less than 1 KiB of the queued bytes could be framed; 0: nothing is queued. For a deadline.
    [[nodiscard]] std::uint64_t stalled_since() const { return queued_ != 0 ? stalled_since_ : 0; }
    // The peer's windows are why. Else it is the socket.
    [[nodiscard]] bool window_closed() const;

    // Gives the peer room for `bytes` more of this stream's body: they have been passed on.
    void consume(std::size_t bytes);
    [[nodiscard]] std::size_t unconsumed() const { return unconsumed_; }

    // Ends the stream both ways; no event follows.
    void reset(H2Code code);
    [[nodiscard]] bool is_open() const { return !over_; }

    // The owner is done with it. What is queued and ended goes on if the stream keeps it itself; else the stream is reset.
    void release();

private:
    friend class H2Session;
    friend struct H2Callbacks;

    explicit H2Stream(H2Session& session) : session_(session) {}
    ~H2Stream() = default;
    void queue(std::string_view piece, std::uint64_t now_ms);
    void wake();
    void submit_trailers(const Headers& trailers);
    void submit_kept_trailers();
    void framed(bool end);
    [[nodiscard]] bool windows_closed() const;
    void drop_queue();
    void stop_remote();
    void copy_out(std::string& out, std::size_t count);

    H2Session& session_;
    H2StreamEvents* events_ = nullptr;
    H2Stream *previous_ = nullptr, *next_ = nullptr;  // all of the session
    std::vector<std::string_view> pieces_;
    std::size_t first_ = 0;              // of pieces_ that is not framed yet
    std::size_t queued_ = 0;
    std::size_t moved_ = 0;              // framed since stalled_since_
    std::size_t unconsumed_ = 0;
    std::string own_;
    std::unique_ptr<H2Trailers> trailers_;  // wait for the body before them
    std::uint64_t stalled_since_ = 0;
    std::size_t head_size_ = 0;          // of the request, unpacked
    std::uint64_t expected_ = 0, received_ = 0;
    std::int32_t id_ = 0;
    bool bounded_ = false;               // `expected_` bytes of body must come
    bool discard_ = false;               // the body is of no use: refused, or released
    bool views_ = false;                 // pieces_ has some that the owner keeps
    bool head_taken_ = false;            // server: the request's head is complete
    bool to_head_ = false, to_connect_ = false;
    bool final_head_ = false;            // client: the final response has come
    bool responded_ = false;             // our final head, with or without end, is given
    bool head_framed_ = false;           // what is submitted now comes after our head
    bool end_given_ = false;             // our side's end is given
    bool end_framed_ = false;
    bool remote_ended_ = false;
    bool deferred_ = false;              // nghttp2 waits for wake()
    bool ours_ = false;                  // we reset it for reasons of our own
    bool over_ = false;                  // reset, or complete both ways: nothing more goes or comes
    bool closed_ = false;                // nghttp2 has forgotten it
    bool released_ = true;               // the owner does not have it: not yet, or no longer
    bool forgotten_ = false;             // waits to be freed
};

}  // namespace penstock::http
