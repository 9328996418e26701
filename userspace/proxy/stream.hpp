// SPDX-License-Identifier: Apache-2.0
// A connection as plaintext, whether TLS lies below or not, so that one HTTP coroutine serves both. What was received and not yet
// consumed is data(); fill() waits for more once that is used up. One task may fill and one may send at a time.
// After close() or abort() both give ECANCELED.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/proxy/tls_ladder.hpp"
#include "userspace/ring/loop.hpp"
#include "userspace/tls/session.hpp"

namespace penstock::proxy {

inline constexpr int kEnded = -1;  // of fill: the peer has sent all it will

class Stream {
public:
    Stream() = default;
    explicit Stream(ring::Socket socket) : socket_(std::move(socket)) {}

    // Before the handshake: where its records may go afterwards. It must outlive the stream.
    void climb(TlsLadder& ladder) { ladder_ = &ladder; }

    // Terminates TLS with this context. `first` are the bytes that were received already. 0, or an errno (EPROTO: see tls()->detail()).
    ring::Task<int> handshake(ssl_ctx_st* context, std::string first, ring::Time deadline);

    // Speaks TLS to the backend at the other end, which is `to`. 0, or an errno (EPROTO: see tls()->detail()); after an error nothing can
    // be sent, in the clear least of all.
    ring::Task<int> connect_tls(std::shared_ptr<const tls::BackendContext> context, const Endpoint& to, ring::Time deadline);

    [[nodiscard]] std::string_view data() const { return view_; }
    // The peer ended the connection without TLS's word for it: what had no other end may have been cut short.
    [[nodiscard]] bool truncated() const { return truncated_; }
    void consume(std::size_t count) { view_.remove_prefix(count); }
    // Only when data() is empty. 0: there is data; kEnded; or an errno. Views into data() from before are void.
    ring::Task<int> fill(ring::Time deadline);
    // Presents bytes that have arrived meanwhile, if there are, without waiting. Only when data() is empty; views from before stay until
    // the next fill(), so that several buffers (or TLS records) can leave in one send.
    bool gather();
    // Sends all. 0 or an errno. The parts' memory must stay until the end; the array is used up.
    ring::Task<int> send(std::span<iovec> parts, ring::Time deadline);
    ring::Task<int> send(std::string_view text, ring::Time deadline);

    // ---- splicing (splice.hpp)
    // -------------------------------------------------------------------------------------------------- The peer says
    // much, and nobody here needs to see it: the bytes that follow lie in the socket as they are.
    [[nodiscard]] bool streams() const { return session_ == nullptr && socket_.open() && socket_.streams() && view_.empty(); }
    // What is sent goes to the socket as it is, in the clear or to be sealed by the kernel.
    [[nodiscard]] bool takes_raw() const { return !sending_ && !raw_ && may_push() && (session_ == nullptr || session_->kernel_writes()); }
    // Still: neither closed nor failed.
    [[nodiscard]] bool may_push() const { return socket_.open() && (session_ == nullptr || session_->may_write()); }
    // While it lives, bytes are pushed into the socket, and the stream sends nothing by itself.
    class Raw {
    public:
        explicit Raw(Stream& stream) : stream_(stream) { stream_.raw_ = true; }
        Raw(const Raw&) = delete;
        ~Raw() { stream_.raw_ = false; }

    private:
        Stream& stream_;
    };
    // Before so many bytes are pushed into the socket: changes the keys if they have sealed enough. 0 or an errno.
    ring::Task<int> before_raw(std::size_t bytes, ring::Time deadline);
    // 0, ECANCELED if it is closed, or an errno. For reading: only when data() is empty; what was received is let go.
    ring::Task<int> ready(ring::ReadyWait::For what, ring::Time deadline);

    // No more sends: close_notify and the end of the stream.
    ring::Task<> finish(ring::Time deadline);
    void close() { socket_.close(); }
    void abort() { socket_.abort(); }

    [[nodiscard]] ring::Socket& socket() { return socket_; }
    [[nodiscard]] tls::Session* tls() const { return session_.get(); }

private:
    ring::Task<int> shake(ring::Time deadline);
    ring::Task<int> flush(ring::Time deadline);
    ring::Task<int> send_control(tls::Records::Control control, ring::Time deadline);
    ring::Task<int> send_to_kernel(std::span<iovec> parts, ring::Time deadline);
    ring::Task<int> tell_failure();
    void begin_to_climb();
    void climb_writing();
    void climb_reading();
    bool decrypt();
    bool take_more();
    bool take_record(std::uint8_t type);

    ring::Socket socket_;
    ring::Buffer buffer_;
    std::vector<ring::Buffer> held_;  // before buffer_, since the last fill
    std::string_view view_;
    bool truncated_ = false;
    std::unique_ptr<tls::Session> session_;
    TlsLadder* ladder_ = nullptr;
    bool sending_ = false;            // what the session has to send is on its way
    bool raw_ = false;                // somebody pushes bytes into the socket
    bool climbing_ = false;           // the kernel may read some day: until then bytes are left with it
};

}  // namespace penstock::proxy
