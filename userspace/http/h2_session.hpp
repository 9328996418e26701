// SPDX-License-Identifier: Apache-2.0
// One connection of HTTP/2, server or client: bytes in, events out; calls in, bytes out. No I/O, no clock, no coroutine. nghttp2 does
// frames, HPACK and windows; heads are checked by H2HeadReader, floods end by H2Meter. DATA is never framed beyond what output() is asked
// for, and the peer gets no room for more of a body than its reader has consumed: pressure passes through.
//
//   H2Session session(H2Role::server, settings, events, now);
//   while (!session.closed()) {
//       if (session.want_write()) { out.clear(); session.output(out, 65536, now); ...send out...; continue; }
//       ...receive...; session.feed(bytes, now);   // or 0 bytes received: leave
//   }
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "userspace/http/h2_meter.hpp"
#include "userspace/http/h2_stream.hpp"

struct nghttp2_session;

namespace penstock::http {

enum class H2Role : std::uint8_t { server, client };

// One for many sessions; it must outlive them.
struct H2Settings {
    std::uint32_t streams_max = 128;                 // that a client may have open
    std::uint32_t stream_window = 65535;             // bytes of a body that may wait to be consumed,
    std::uint32_t connection_window = 1024 * 1024;   // and of all bodies of a connection
    std::uint32_t header_table = 4096;               // HPACK's memory, each way
    std::size_t heads_max = 1024 * 1024;             // bytes of the heads of all streams that are not released; unpacked
    bool connect_protocol = true;                    // RFC 8441
    Limits limits = {};                              // of heads and trailers; unpacked
};

class H2SessionEvents {
public:
    virtual void on_request(H2Stream&, H2Request) {}     // server: listen(), and release() in the end
    virtual void on_refused(H2Stream&, Reject) {}        // server: a head is malformed or too large: respond() and release(), or reset()
    virtual void on_settings() {}                        // the peer's settings have come: can_open() may say something else
    virtual void on_goaway(std::uint32_t) {}             // the peer's code; no stream can be opened any more

protected:
    ~H2SessionEvents() = default;
};

// What a client asks for. Views, used during the call only.
struct H2Target {
    std::string_view method, scheme, authority;
    std::string_view path;            // with the query; empty for CONNECT without protocol
    std::string_view protocol = {};   // extended CONNECT
};

class H2Session {
public:
    H2Session(H2Role role, const H2Settings& settings, H2SessionEvents& events, std::uint64_t now_ms);
    ~H2Session();  // all streams must have been released
    H2Session(const H2Session&) = delete;
    H2Session& operator=(const H2Session&) = delete;

    // False once the connection is given up: fault() says why, streams have heard it, and what is left to output() is our GOAWAY. What
    // nghttp2 itself objects to shows once output() has framed its GOAWAY.
    bool feed(std::string_view bytes, std::uint64_t now_ms);
    // Appends frames until `out` has `cap` bytes, or a little more for the last one.
    void output(std::string& out, std::size_t cap, std::uint64_t now_ms);
    [[nodiscard]] bool want_write() const;
    // Nothing more will come or go: the socket can be closed.
    [[nodiscard]] bool closed() const;

    [[nodiscard]] H2Fault fault() const { return fault_; }
    [[nodiscard]] const std::string& detail() const { return detail_; }  // nghttp2's word for a fault, if it has one

    // Client: a new request; null if !can_open(). `end`: no body follows.
    H2Stream* open(const H2Target& target, const Headers& headers, bool end, H2StreamEvents& events);
    // The peer takes another request. Before its settings have come that is a guess.
    [[nodiscard]] bool can_open() const;
    // The most that the peer lets be open at once.
    [[nodiscard]] std::uint32_t peer_streams_max() const;
    // Extended CONNECT may be sent; false before the peer's settings have come.
    [[nodiscard]] bool peer_connect_protocol() const;
    [[nodiscard]] bool peer_settings_seen() const { return settings_seen_; }

    // Server: no more requests. GOAWAY first announces it, and once the peer has seen that (a PING tells) draws the line: none is lost in
    // flight. drain_now() draws it at once. closed() when the last stream is done.
    void drain();
    void drain_now();
    // Ends the connection with a GOAWAY, streams or not.
    void close(H2Code code = H2Code::no_error);

    [[nodiscard]] std::size_t streams() const { return open_; }          // not over yet
    [[nodiscard]] std::size_t unreleased() const { return kept_; }       // that the owner still has
    // Since when the stream that waits longest has moved less than 1 KiB, among those that are released and still have bytes to go: nobody
    // else watches them. 0: there is none.
    [[nodiscard]] std::uint64_t stalled_since() const;
    // Since when a header block or the preface is incomplete; 0: none is. For a deadline.
    [[nodiscard]] std::uint64_t head_since() const { return meter_.head_since(); }

private:
    friend class H2Stream;
    friend struct H2Callbacks;

    H2Stream& add_stream();
    void forget(H2Stream& stream);
    void reap();
    void give_up(H2Fault fault);
    void end_all(H2Code code);
    void tell_reset(H2Stream& stream, const H2Reset& reset);
    void malformed(H2Stream& stream, Reject why);
    [[nodiscard]] bool alive() const { return !given_up_; }
    void write_goaway(std::string& out);

    const H2Role role_;
    const H2Settings& settings_;
    H2SessionEvents& events_;
    nghttp2_session* session_ = nullptr;
    H2Meter meter_;
    H2HeadReader reader_;
    H2Stream* block_ = nullptr;           // whose header block is being read
    H2Stream* streams_ = nullptr;
    H2Stream* dead_ = nullptr;            // to be freed when nghttp2 is not running
    std::string* out_ = nullptr;          // of the output() that is running
    std::string detail_;
    std::uint64_t now_ms_;
    std::size_t cap_ = 0;
    std::size_t open_ = 0, kept_ = 0;
    std::size_t heads_ = 0;               // bytes, as heads_max counts them
    H2Code goaway_code_ = H2Code::no_error;
    H2Fault fault_ = H2Fault::none;
    bool running_ = false;                // inside feed() or output()
    bool paused_ = false;                 // a DATA frame has been written
    bool given_up_ = false;               // nghttp2 is not called any more
    bool goaway_due_ = false, goaway_seen_ = false, settings_seen_ = false;
    bool draining_ = false, drained_ = false;
};

}  // namespace penstock::http
